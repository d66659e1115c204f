"""The folders of runs."""

from pathlib import Path

import pytest

from lab import runs
from lab.errors import BadInput


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
