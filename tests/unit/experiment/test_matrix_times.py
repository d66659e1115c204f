"""Rows of the matrix that need more than one result."""

from pathlib import Path

import pytest

from lab.analysis import matrix_results
from tests.support.matrix_doubles import BAD, BROKEN, GOOD, INTERRUPTED, Doubles, rows


def test_a_row_is_run_until_it_has_enough_results(tmp_path: Path) -> None:
    """Existing results count, each run has another seed, and an interrupted matrix continues where it stopped."""
    it = Doubles(tmp_path, GOOD, GOOD, INTERRUPTED, GOOD)
    it.play(rows("web1-freeze"))
    with pytest.raises(KeyboardInterrupt):
        it.play(rows("web1-freeze", times=3))
    assert it.play(rows("web1-freeze", times=3)) == 0
    assert [result["seed"] for result in it.results] == [1, 2, 3]
    assert [line.split("  ")[0] for line in it.messages] == ["1 of 1", "1 of 2", "1 of 1"]


def test_the_worst_of_the_results_that_are_needed_decides(tmp_path: Path) -> None:
    """A later pass does not hide a failure."""
    it = Doubles(tmp_path, BAD, GOOD)
    assert it.play(rows("web1-freeze", times=2)) == 1


def test_an_error_is_none_of_the_results_that_are_needed(tmp_path: Path) -> None:
    """It counts until the row is run again."""
    it = Doubles(tmp_path, GOOD, BROKEN, GOOD)
    assert it.play(rows("web1-freeze", times=2)) == 3
    assert it.play(rows("web1-freeze", times=2)) == 0
    assert it.play(rows("web1-freeze", times=2)) == 0


def test_the_time_left_counts_every_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three runs of ten minutes are half an hour."""
    it = Doubles(tmp_path, GOOD, GOOD, GOOD, GOOD)
    it.play(rows("web1-freeze"))
    capsys.readouterr()
    matrix_results.append({**it.results[0], "took_s": 600}, it.path)
    it.play(rows("web1-freeze", times=4))
    assert "1 of 2: web1-freeze; about 20 minutes to the end" in capsys.readouterr().err
