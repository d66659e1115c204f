"""The load as an experiment uses it: however Locust fails, the error has what, why, and the next step."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from lab.analysis.load_record import merge
from lab.errors import InfrastructureBroken, LabError, TimedOut
from lab.experiment import load
from lab.experiment.load import Running
from lab.plan.experiment_file import Load
from lab.wait import until
from tests.support.alive import pids_with
from tests.support.fake_site import Site
from tests.support.locust_command import start, stop
from tests.unit.loadtests.test_open_loop import closed_port, recorded, seen

HEAD = f"""#!{sys.executable}
import signal, sys
from pathlib import Path
record = Path(sys.argv[sys.argv.index("--record") + 1])
"""
BEGINS = """record.mkdir()
(record / "requests-0.jsonl").write_text('{"intended": 7.5}\\n')
"""
PRINTS = "print('\\n'.join(f'line {number}' for number in range(40)), flush=True)\n"
WAITS = "signal.alarm(60)\nsignal.pause()\n"
OBEYS = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
FAILS = f"signal.signal(signal.SIGTERM, lambda *_: ({PRINTS.strip()}, sys.exit(3)))\n"
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
Playing = Callable[[str], AbstractContextManager[Running]]


@pytest.fixture
def playing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Playing]:
    """The load with a script in place of Locust; none of its processes remains at the end."""
    script, folder = tmp_path / "locust", tmp_path / "run" / "record"
    folder.parent.mkdir()
    monkeypatch.setattr(load, "LOCUST", script)
    monkeypatch.setattr(load, "ENDS_S", 0.5)

    def play(text: str) -> AbstractContextManager[Running]:
        script.write_text(HEAD + text, encoding="utf-8")
        script.chmod(0o755)
        return load.running(Load(20, 0.2, 1), 1, 60, folder)

    yield play
    assert pids_with(str(folder)) == []


def has_text(error: LabError, what: str, evidence: str) -> None:
    """The error has what happened, the last lines only, the log file, and the next command."""
    assert error.what == what
    assert error.evidence.splitlines()[-1] == evidence
    assert len(error.evidence.splitlines()) <= load.LOG_LINES + 1
    assert "run/locust.log" in error.hint and "invoke lab.status" in error.hint


@pytest.mark.parametrize(("processes", "probes"), [(1, 1), (2, 3), (4, 5)])
def test_what_the_load_asks_before_it_begins_is_known(processes: int, probes: int) -> None:
    """Each process, and their leader, tests whether the site accepts connections: no requests of the load."""
    assert load.probes(Load(20, 0.03, processes)) == probes


def test_a_load_begins_and_ends(playing: Playing) -> None:
    """The time of its first request is the one in its record; a normal end raises no error."""
    with playing(OBEYS + BEGINS + WAITS) as it:
        assert it.began() == 7.5
        it.must_go_on()
        it.end()


def test_a_load_that_dies_at_once_is_told_at_once(playing: Playing) -> None:
    """The experiment does not wait for its first request."""
    began = time.monotonic()
    with playing(PRINTS + "sys.exit(2)\n") as it, pytest.raises(InfrastructureBroken) as caught:
        it.began()
    assert time.monotonic() - began < 10
    has_text(caught.value, "the load ended early (exit 2)", "line 39")


def test_a_load_that_never_begins_is_told_with_what_it_said(playing: Playing, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs but sends nothing."""
    monkeypatch.setattr(load, "STARTS_S", 1.0)
    with playing(PRINTS + WAITS) as it, pytest.raises(TimedOut) as caught:
        it.began()
    has_text(caught.value, "load: the load begins: not within 1 s", "line 39")


@pytest.mark.parametrize("asks", [Running.must_go_on, Running.end])
def test_a_load_that_dies_in_the_middle_is_an_error(playing: Playing, asks: Callable[[Running], None]) -> None:
    """The next check raises it: between the steps of an experiment, and at its end."""
    with playing(BEGINS + "raise OSError('No space left on device')\n") as it:
        it.process.wait(30)
        with pytest.raises(InfrastructureBroken) as caught:
            asks(it)
    has_text(caught.value, "the load ended early (exit 1)", "OSError: No space left on device")


def test_a_load_that_was_killed_says_by_what(playing: Playing) -> None:
    """The kernel kills a process if memory is short; the log says nothing."""
    with playing(BEGINS + WAITS) as it:
        it.began()
        it.process.kill()
        it.process.wait(30)
        with pytest.raises(InfrastructureBroken) as caught:
            it.must_go_on()
    has_text(caught.value, "the load ended early (signal 9)", "its log is empty")


def test_a_load_that_ends_badly_is_an_error(playing: Playing) -> None:
    """It was asked to end, and ended with an error."""
    with playing(FAILS + BEGINS + WAITS) as it:
        it.began()
        with pytest.raises(InfrastructureBroken) as caught:
            it.end()
    has_text(caught.value, "the load ended with an error (exit 3)", "line 39")


def test_a_load_that_does_not_end_is_killed(playing: Playing) -> None:
    """It is killed in time, and reported: requests under way may not be on record."""
    with playing(DEAF + BEGINS + PRINTS + WAITS) as it:
        it.began()
        with pytest.raises(InfrastructureBroken) as caught:
            it.end()
    has_text(caught.value, "the load did not end within 0.5 s and was killed (signal 9)", "line 39")


IMPATIENT = """
from loadtests import processes
processes.LONGEST_S, processes.SPARE_S = 0.0, 1.0
from loadtests.open_loop import *
"""


def test_a_process_that_dies_among_several_is_told(checkout: Path, site: Site, tmp_path: Path) -> None:
    """kill -9 of one of two: exit 3, with the reason in the last lines; the record has every write."""
    file, folder, port = tmp_path / "impatient.py", tmp_path / "run" / "record", closed_port()
    file.write_text(IMPATIENT, encoding="utf-8")
    ports = ("--master-port", port, "--master-bind-port", port)
    words = [*load._words(Load(40, 0.5, 2), 1, 60, folder)[2:], *ports, "--host", site.host]
    with start(checkout, str(file), *words) as locust:
        until("both have sent", lambda: len(site.seen) > 40, 30, every=0.02)
        os.kill(next(it for it in pids_with(str(folder)) if it != locust.pid), signal.SIGKILL)
        code, output = stop(locust)
    assert code == 3, output
    assert "1 processes did not report that they had ended" in "\n".join(output.splitlines()[-load.LOG_LINES :])
    writes = [what for what in seen(site) if what[0] == "POST"]
    assert writes and set(writes) <= set(recorded(merge(folder)))
