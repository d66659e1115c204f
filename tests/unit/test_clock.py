"""One clock for all that a run sees, whatever happens to the clock of the machine meanwhile."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from lab import clock
from lab.analysis.judgement import Judgement
from lab.experiment import load
from lab.plan.experiment_file import Load
from lab.report.caveats import limits
from loadtests import generator, request
from tests.support.timelines import changed, kind, quiet

HOUR_S = 3600.0
PRINTS = "from lab import clock; print(clock.now())"


def test_the_clock_of_a_run_goes_on_when_somebody_sets_that_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop slept for an hour: what came before and after is as far apart as it ran meanwhile."""
    before, real = clock.now(), time.time
    monkeypatch.setattr(time, "time", lambda: real() + HOUR_S)
    assert 0 <= clock.now() - before < 60
    assert clock.jumped() == pytest.approx(HOUR_S, abs=60)


def test_a_process_that_is_told_of_it_has_the_same_clock() -> None:
    """Also where the machine's was set in between."""
    earlier = str(float(clock.zero()) - HOUR_S)
    process = subprocess.run(
        [sys.executable, "-c", PRINTS],
        env={**os.environ, clock.ZERO: earlier},
        capture_output=True,
        text=True,
        check=True,
    )
    assert 0 <= clock.now() - HOUR_S - float(process.stdout) < 60


def test_the_load_is_told_of_the_clock_of_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its requests and the faults of the experiment stand on one axis."""
    path = tmp_path / "said"
    locust = tmp_path / "locust"
    locust.write_text(f"#!/bin/sh\necho $WEBLAB_CLOCK_ZERO > {path}\n", encoding="utf-8")
    locust.chmod(0o755)
    monkeypatch.setattr(load, "LOCUST", locust)
    with load.running(Load(1, 0.0, 1), 1, 1.0, tmp_path / "record") as it:
        it.process.wait(30)
    assert json.loads(path.read_text(encoding="utf-8")) == float(clock.zero())


@pytest.mark.parametrize("module", [generator, request], ids=["when a request is due", "when it is sent and ends"])
def test_the_load_reads_no_other_clock(module: ModuleType) -> None:
    """A request that took an hour because somebody set the clock would be an outage that nobody had."""
    assert vars(module)["now"] is clock.now


@pytest.mark.parametrize(("seconds", "message"), [(7.7, "+7.7 s"), (-2.0, "-2.0 s"), (0.0, "")])
def test_a_report_says_that_the_machine_slept(seconds: float, message: str) -> None:
    """The times of nodes, which have clocks of their own, may tell another story."""
    judgement = Judgement.of(changed(quiet(), kind("end"), clock_jumped_s=seconds), [])
    found = limits(judgement.history, judgement.summary)
    lines = [it for it in found if it.startswith("The hosting machine")]
    assert [message in it for it in lines] == ([True] if message else [])
