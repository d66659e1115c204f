"""kill -9 of the process that started a load: the load ends soon too. Real processes, a fake site."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.analysis.load_record import merge
from lab.wait import until
from tests.support.alive import pids_with
from tests.support.fake_site import Site
from tests.support.locust_command import ASTRAY, LOCUST
from tests.unit.loadtests.test_open_loop import closed_port, recorded, seen

STARTER = """
import sys
from pathlib import Path
from lab.experiment import load
from lab.plan.experiment_file import Load
from lab.wait import pause
with load.running(Load(40, 0.5, int(sys.argv[2])), 1, 60, Path(sys.argv[1])):
    pause(60)
"""
SOON_S = 6.0  # a second to notice, one for Locust's end, and a busy machine


def starter(checkout: Path, host: str, folder: Path, processes: int) -> "subprocess.Popen[bytes]":
    """A process that starts a load as an experiment does."""
    port = closed_port()  # Locust's default port may be in use by another run
    chosen = {"LOCUST_HOST": host, "LOCUST_MASTER_NODE_PORT": port, "LOCUST_MASTER_BIND_PORT": port}
    words = [sys.executable, "-c", STARTER, str(folder), str(processes)]
    return subprocess.Popen(words, cwd=checkout, env={**os.environ, **ASTRAY, **chosen}, start_new_session=True)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_load_ends_when_its_starter_is_killed(checkout: Path, site: Site, tmp_path: Path, processes: int) -> None:
    """Within seconds nothing more is sent, no process is left, and all that was sent is on record."""
    folder = tmp_path / "record"
    process = starter(checkout, site.host, folder, processes)
    try:
        until("the load runs", lambda: len(site.seen) > 20, 30, every=0.02)
    finally:
        process.kill()
        process.wait()
    killed = time.monotonic()
    until("no load of it lives", lambda: not pids_with(str(folder)), 30, every=0.1)
    assert time.monotonic() - killed < SOON_S
    assert recorded(merge(folder)) == seen(site)
    assert {it["outcome"] for it in merge(folder)} == {"ok"}
    assert len(list(folder.glob("generator-*.json"))) == processes
    assert "the experiment that started it is gone" in (tmp_path / "locust.log").read_text(encoding="utf-8")


def test_a_load_that_a_user_started_goes_on_without_its_shell(checkout: Path, site: Site, tmp_path: Path) -> None:
    """It has no starter in its environment, so only a signal ends it."""
    folder = str(tmp_path / "record")
    words = f"{LOCUST} -f loadtests/open_loop.py --headless --rate 40 -t 60s --host {site.host} --record {folder}"
    subprocess.run(
        ["sh", "-c", f"{words} >{tmp_path}/log 2>&1 &"], cwd=checkout, env={**os.environ, **ASTRAY}, check=True
    )
    try:
        until("it has sent for three seconds", lambda: len(site.seen) > 120, 30, every=0.1)
        (process,) = pids_with(folder)
    finally:
        for it in pids_with(folder):
            os.kill(it, signal.SIGTERM)
    until(f"{process} is gone", lambda: not pids_with(folder), 30, every=0.1)
