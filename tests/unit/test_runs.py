"""The folders of runs."""

from pathlib import Path

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from commands import experiments
from lab import runs, timeline
from lab.errors import BadInput
from lab.history import History
from tests.unit.timelines import quiet


def test_the_latest_run_is_found_by_that_word(tmp_path: Path) -> None:
    """And by its name, and by its path."""
    first, second = runs.make("control", tmp_path), runs.make("web2-freeze", tmp_path)
    for run in (first, second):
        (run / runs.TIMELINE).touch()
    assert runs.find(runs.LATEST, tmp_path) == second.resolve()
    assert runs.find(first.name, tmp_path) == runs.find(str(first), tmp_path) == first.resolve()


def test_an_unknown_run_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    """The newest first; where there is none, how to make one."""
    with pytest.raises(BadInput) as caught:
        runs.find("web9", tmp_path)
    assert "experiment.run control" in caught.value.hint
    (runs.make("control", tmp_path) / runs.TIMELINE).touch()
    with pytest.raises(BadInput) as caught:
        runs.find("web9", tmp_path)
    assert "-control" in caught.value.hint


@pytest.mark.parametrize("other", [0, 2])
def test_a_run_of_another_version_is_refused(tmp_path: Path, other: int) -> None:
    """Exit code 2, what it is and what to do; nothing is judged or drawn from what may mean something else."""
    timeline.append(tmp_path / runs.TIMELINE, quiet(format=other))
    with pytest.raises(Exit) as ending:
        experiments.report_(Context(), str(tmp_path))
    assert ending.value.code == 2
    assert f"has format {other}, this version of the lab reads format 1" in str(ending.value.message)
    assert [it.name for it in tmp_path.iterdir() if it.is_file()] == [runs.TIMELINE]


def test_a_run_of_this_version_is_read(tmp_path: Path) -> None:
    """Whatever else it lacks."""
    timeline.append(tmp_path / runs.TIMELINE, quiet(format=runs.FORMAT))
    assert History(runs.read(tmp_path)).run["name"] == "quiet"
