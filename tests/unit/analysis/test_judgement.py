"""A run is judged once, and all its reports agree."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from commands import experiment
from lab.analysis import matrix_results, run_folder, timeline
from lab.analysis.history import History
from lab.analysis.judgement import Judgement
from lab.analysis.timeline import Entry
from lab.report import page
from tests.support.timelines import failed, switched_off

EXPECT = [{"check": "failed-gets", "at_most": 0}]
LOAD = {"rate": 20, "write_share": 0.2}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run in which a read failed."""
    timeline.append(tmp_path / run_folder.TIMELINE, switched_off(failed(6), expect=EXPECT, load=LOAD))
    return tmp_path


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A counter that grows whenever the entries of a run are sorted."""
    found: list[str] = []
    build = History.__init__

    def note(it: History, entries: Iterable[Entry]) -> None:
        found.append("history")
        build(it, entries)

    monkeypatch.setattr(History, "__init__", note)
    return found


def test_a_run_expects_what_its_file_says(run: Path) -> None:
    """Unless other expectations are given."""
    entries = run_folder.read(run)
    judgement = Judgement.of(entries)
    assert [it.name for it in judgement.checks] == ["failed-gets"]
    assert judgement.verdict == judgement.summary["verdict"] == "fail"
    assert Judgement.of(entries, []).verdict == "inconclusive"


def test_the_report_of_a_run_builds_its_history_once(run: Path, built: list[str]) -> None:
    """For the terminal, the page, summary.json and the exit code."""
    assert experiment._report(run) == 1
    assert built == ["history"]


def test_a_row_of_the_matrix_needs_no_history_of_its_own(run: Path, built: list[str]) -> None:
    """Nor does its page."""
    judgement = Judgement.of(run_folder.read(run))
    page.write(run, judgement)
    assert matrix_results.of_run(judgement, run.name, {})["verdict"] == "fail"
    assert not matrix_results.interrupted(judgement.history)
    assert built == ["history"]
