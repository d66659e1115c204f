"""Experiments on the real lab, as a student runs them."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from lab.analysis import run_folder, timeline
from lab.faults import ledger
from lab.plan.experiment_file import EXPERIMENTS
from lab.topology import ROOT, Lab
from lab.wait import until
from tests.live.conftest import INVOKE, invoke, must, wrong
from tests.support import documented
from tests.support.alive import pids_with

pytestmark = pytest.mark.live
RUN_S = 420.0
LOAD_ENDS_S = 25.0  # the load notices within two seconds, then waits for the requests under way, 17 s at most


def latest() -> Path:
    """The folder of the latest run with a report."""
    return (run_folder.RUNS / run_folder.LATEST).resolve()


def newest() -> Path:
    """The folder of the newest run, with or without a report."""
    return max(run_folder.RUNS.glob(f"*-*/{run_folder.TIMELINE}")).parent


def test_nginx_dies_under_load_and_no_reader_notices(healthy: Lab) -> None:
    """A complete run with load, fault, heal, verdict and report; judging it again without machines gives the same."""
    done = invoke("experiment.run", "web2-nginx-kill", timeout=RUN_S)
    folder = latest()
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["verdict"] == "pass" and summary["name"] == "web2-nginx-kill"
    assert summary["requests"]["GET"]["failed"] == 0 and summary["requests"]["GET"]["ok"] > 300
    assert summary["writes"]["lost"] == summary["writes"]["duplicated"] == summary["writes"]["unexpected"] == 0
    (fault,) = summary["faults"]
    assert fault["healed_at"] > fault["injected_at"]
    assert {it.name for it in (folder / "logs").iterdir()} == {"lb1", "web1", "web2"}
    assert "is DOWN" in (folder / "logs" / "lb1" / "journal.log").read_text(encoding="utf-8")
    shipped = next(EXPERIMENTS.rglob("web2-nginx-kill.yml")).read_text(encoding="utf-8")
    assert (folder / run_folder.EXPERIMENT).read_text(encoding="utf-8") == shipped
    assert (folder / "report.html").stat().st_size < 6_000_000
    promised = documented.kinds()
    strange = [it for it in run_folder.read(folder) if promised.get((it.observer, it.kind)) != set(it.data)]
    assert strange == [], "docs/interface.md does not tell of it"
    again = invoke("experiment.report", folder.name)
    assert again.returncode == 0 and again.stdout.splitlines()[:2] == done.stdout.splitlines()[:2]


def test_an_interrupted_experiment_heals_and_keeps_what_was_seen(healthy: Lab) -> None:
    """Ctrl-C while web2 is frozen: exit 130, web2 runs again, nothing more is injected, the run is not judged."""
    words, pipe = [INVOKE, "experiment.run", "web2-freeze"], subprocess.PIPE
    process = subprocess.Popen(words, cwd=ROOT, stdout=pipe, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        until("web2 is frozen", lambda: "web2-freeze" in [it["id"] for it in ledger.entries()], 180)
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=180)
    finally:
        process.kill()
    assert process.returncode == 130, output.decode()
    assert ledger.entries() == []
    ends = [it for it in timeline.read(latest() / run_folder.TIMELINE) if it.kind == "end"]
    assert [it.data["complete"] for it in ends] == [False]
    assert json.loads((latest() / "summary.json").read_text(encoding="utf-8"))["verdict"] != "pass"
    until("the lab is healthy", lambda: not wrong(healthy), 120, every=2)


@pytest.mark.slow
def test_a_killed_experiment_can_be_healed_and_judged(healthy: Lab) -> None:
    """kill -9: its load ends, status shows the fault, one command heals it, and the run has no valid verdict."""
    process = subprocess.Popen([INVOKE, "experiment.run", "web2-freeze"], cwd=ROOT, start_new_session=True)
    try:
        until("web2 is frozen", lambda: "web2-freeze" in [it["id"] for it in ledger.entries()], 180)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
    killed = newest()
    assert latest() != killed
    load = str(killed / run_folder.RECORD)
    until("no load of it lives", lambda: not pids_with(load), LOAD_ENDS_S)
    assert "fault     web2-freeze" in must("lab.status")
    assert "web2-freeze" in must("fault.heal", timeout=RUN_S)
    judged = invoke("experiment.report", killed.name)
    assert judged.returncode == 4 and "INCONCLUSIVE" in judged.stdout, judged.stdout
    until("the lab is healthy", lambda: not wrong(healthy), 120, every=2)


def test_an_unknown_experiment_is_refused(lab: Lab) -> None:
    """Exit 2, with the name that was probably meant."""
    done = invoke("experiment.run", "web2-frezee")
    assert done.returncode == 2 and "web2-freeze" in done.stderr
