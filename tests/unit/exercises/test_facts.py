"""The facts of a check: what was recorded since the start, HAProxy's log, and when a server was out."""

import json
import os
from pathlib import Path

import pytest

from lab.analysis import timeline
from lab.analysis.timeline import Entry
from lab.exercises.facts import Change, read_changes, recorded
from lab.exercises.outages import outages
from tests.support.exercise_stories import entries, injected, log, looks, measurement, reads, untouched
from tests.support.timelines import T0

LOG = """1700000012.500000 lb1 haproxy[801]: Server web/web1 is DOWN, reason: Layer4 connection problem.
1700000013.000000 lb1 haproxy[801]: Server write/web1 is DOWN via web/web1. 1 active servers left.
1700000014.000000 lb1 haproxy[801]: Server web/web2 is going DOWN for maintenance.
1700000040.000000 lb1 haproxy[801]: Server web/web1 is UP, reason: Layer7 check passed, code: 200, check duration: 9ms.
"""


def written(folder: Path, name: str, found: list[Entry]) -> Path:
    """The folder of a run."""
    (folder / name).mkdir()
    timeline.append(folder / name / "timeline.jsonl", found)
    return folder / name


def load(folder: Path, name: str) -> None:
    """The record of a load alone, as locust -f loadtests/open_loop.py leaves it."""
    (folder / name).mkdir()
    lines = [json.dumps({"at": it.at, "observer": "client", "kind": "request", **it.data}) for it in reads(10, 40)]
    (folder / name / "requests-7.jsonl").write_text("\n".join(lines) + "\n")


def test_the_log_of_haproxy_is_read() -> None:
    """Its servers for reads, without those that a command took out."""
    down, up = read_changes(LOG)
    assert (down.at, down.server, down.status) == (1700000012.5, "web1", "DOWN")
    assert down.reason.startswith("Layer4 connection problem")
    assert (up.server, up.status) == ("web1", "UP")


def test_what_was_recorded_since_the_start_is_found(tmp_path: Path) -> None:
    """Runs and loads, the newest first; what began earlier does not count."""
    written(tmp_path, "20231114T221320Z-mine", list(entries(10, 12.5, 40)))
    load(tmp_path, "load")
    assert {it.name for it in recorded(T0 - 60, tmp_path)} == {"20231114T221320Z-mine", "load"}
    assert [it.name for it in recorded(T0 - 1, tmp_path)] == ["load"]
    assert recorded(T0 + 1, tmp_path) == ()


def test_the_record_in_the_folder_of_a_run_is_not_a_load_of_its_own(tmp_path: Path) -> None:
    """It is a part of the run."""
    run = written(tmp_path, "20231114T221320Z-mine", list(entries(10, 12.5, 40)))
    load(run, "record")
    assert [it.name for it in recorded(T0 - 60, tmp_path)] == ["20231114T221320Z-mine"]


def test_a_run_that_goes_on_is_left_out(tmp_path: Path) -> None:
    """A killed one counts: what it recorded was measured."""
    unfinished = [it for it in entries(10, 12.5, 40) if it.kind != "end"]
    written(tmp_path, "20231114T221320Z-mine", unfinished)
    assert recorded(T0 - 60, tmp_path, with_unfinished=False) == ()
    assert len(recorded(T0 - 60, tmp_path)) == 1


def test_a_run_that_cannot_be_read_is_named_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One damaged folder does not end a check."""
    written(tmp_path, "20231114T221320Z-mine", list(entries(10, 12.5, 40)))
    (tmp_path / "20231114T221321Z-bad").mkdir()
    (tmp_path / "20231114T221321Z-bad" / "timeline.jsonl").write_text("no\nyes\n")
    assert [it.name for it in recorded(T0 - 60, tmp_path)] == ["20231114T221320Z-mine"]
    assert "20231114T221321Z-bad is left out" in capsys.readouterr().err


def test_an_old_run_is_not_even_read(tmp_path: Path) -> None:
    """Its file was last written before the start."""
    run = written(tmp_path, "20231114T221320Z-mine", list(entries(10, 12.5, 40)))
    (run / "timeline.jsonl").write_text("no\nyes\n")
    os.utime(run / "timeline.jsonl", (T0 - 100, T0 - 100))
    assert recorded(T0 - 60, tmp_path) == ()


def test_an_outage_begins_with_the_fault_that_an_experiment_injected() -> None:
    """HAProxy's log of the same moment is no second outage."""
    (it,) = outages(untouched(runs=[measurement(*injected())], changes=log()))
    assert (it.server, it.noticed_s, it.dead) == ("web1", 2.5, frozenset({"nginx"}))
    assert it.up == T0 + 40 and it.failed == 0 and len(it.reads) == 180 and len(it.reads_before) == 60


def test_an_outage_by_hand_begins_when_the_service_was_seen_dead() -> None:
    """By any command that stops it."""
    (it,) = outages(untouched(runs=[measurement(*looks("nginx", 11, 35))]))
    assert (it.noticed_s, it.dead) == (1.5, frozenset({"nginx"}))


def test_without_observers_an_outage_begins_with_the_last_answer() -> None:
    """And HAProxy's log tells when it was noticed."""
    run = measurement()
    alone = type(run)(run.name, type(run.history)(reads(10, 40)))
    (it,) = outages(untouched(runs=[alone], changes=log()))
    assert 2.4 < it.noticed_s < 3.0 and it.dead == set()


def test_an_outage_that_nothing_recorded_comes_from_the_log() -> None:
    """A flapping check is one outage, and one that lasts has no end."""
    changes = [*log(up=None), Change(T0 + 13, "web1", "DOWN", "Layer4 timeout")]
    (it,) = outages(untouched(changes=changes))
    assert (it.run, it.up, it.reads) == (None, None, [])
