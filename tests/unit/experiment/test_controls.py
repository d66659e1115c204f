"""Negative controls without machines: runs with hidden failures, judged from their folders by experiment.report."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from lab import topology
from lab.analysis import timeline
from lab.analysis.checks.catalogue import judge
from lab.analysis.history import History
from lab.analysis.load_record import merge
from lab.analysis.timeline import Entry
from lab.clock import now
from lab.plan import experiment_file
from lab.topology import ROOT
from loadtests.record import Record
from loadtests.request import Site, Visit
from tests.support import fake_site
from tests.support.stories import shipped
from tests.support.timelines import changed, final, kind, lab, of, quiet, run, without

LAB = topology.load()
CONTROL = experiment_file.find("control", LAB)
INVOKE = Path(sys.executable).with_name("invoke")


def as_control(story: list[Entry]) -> list[Entry]:
    """A run with the expectations of the experiment 'control' and a load of 20 requests a second."""
    settings = {**CONTROL.as_data(), "load": {"rate": 20, "write_share": 0.2, "processes": 1}}
    return changed(story, kind("run"), **settings)


def one_write_lost() -> list[Entry]:
    """web2 lacks one acknowledged note."""
    tokens = next(it for it in quiet() if it.kind == "final").data["tokens"]
    return [*without(quiet(), kind("final", "web2")), final("web2", {t: n for t, n in tokens.items() if t != "t45"})]


def counted(more: int) -> Callable[[], list[Entry]]:
    """A run in which HAProxy counted more requests than the client recorded."""
    return lambda: changed(quiet(), kind("generator"), requests_seen={"site": len(History(quiet()).requests) + more})


# A run, the exit code of experiment.report, the verdict, and the checks that do not pass.
RUNS: dict[str, tuple[Callable[[], list[Entry]], int, str, dict[str, str]]] = {
    "nothing wrong": (quiet, 0, "pass", {}),
    "one write lost": (one_write_lost, 1, "fail", {"lost-writes": "fail"}),
    "a probe that never ran": (
        lambda: without(quiet(), of("balancer")),
        4,
        "inconclusive",
        {"false-downs": "inconclusive", "balancer-retries": "inconclusive"},
    ),
    "a client that sends again": (counted(1), 1, "fail", {"requests-seen": "fail"}),
    "requests that never arrived": (counted(-1), 1, "fail", {"requests-seen": "fail"}),
}


@pytest.mark.parametrize("name", RUNS)
def test_trouble_is_found_in_a_saved_run(tmp_path: Path, name: str) -> None:
    """The right checks find it, and no others; the exit code, the summary and the page report it."""
    story, code, verdict, wrong = RUNS[name]
    timeline.append(tmp_path / "timeline.jsonl", as_control(story()))
    words = [str(INVOKE), "experiment.report", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary["verdict"] == verdict
    assert {it["name"]: it["verdict"] for it in summary["checks"] if it["verdict"] != "pass"} == wrong
    assert verdict.upper() in done.stdout.splitlines()[0]
    assert f'class="badge {verdict}"' in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("retries", "verdict"), [(None, "pass"), (Retry(total=1, allowed_methods=None), "fail")])
def test_a_client_that_really_sends_again_is_found_out(
    site: fake_site.Site, tmp_path: Path, retries: Retry | None, verdict: str
) -> None:
    """Real requests: the site's count is compared with the client's record."""
    site.manner = lambda _: "closes"
    here = replace(LAB, network=IPv4Network("127.0.0.0/8"))
    adapter = {"adapter": lambda _: HTTPAdapter(max_retries=retries)} if retries else {}
    Site(here, site.host, Record(tmp_path, "0"), **adapter).visit(
        Visit("POST", "/api/notes", "/api/notes", now(), "t1")
    )
    own = ("at", "observer", "kind")
    asked = [
        Entry(it["at"], it["observer"], it["kind"], {k: v for k, v in it.items() if k not in own})
        for it in merge(tmp_path)
    ]
    entries = [run(), *asked, lab(9, "generator", cpu=0.1, requests_seen={"site": len(site.seen)})]
    (check,) = judge(History(entries), [{"check": "requests-seen", "equals": 0}])
    assert (check.verdict, check.value) == (verdict, 1 if retries else 0)


@pytest.mark.parametrize("name", [it.name for it in shipped(LAB) if it.name.startswith("control-")])
def test_a_control_that_finds_nothing_fails(name: str) -> None:
    """A run without failures does not meet the control's expectations."""
    it = experiment_file.find(name, LAB)
    checks = {check.name: check.verdict for check in judge(History(quiet()), it.as_data()["expect"])}
    assert checks[it.expect[0].check] == "fail"
    assert it.expect[0].bound == "at_least"
