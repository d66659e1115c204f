"""The matrix runs row by row, can be continued, and saves every result. Runs are doubles that write a timeline."""

from pathlib import Path

import pytest

from lab.analysis import matrix_results
from lab.analysis.timeline import Entry
from lab.errors import BadInput, LabError, LabNotUp
from lab.experiment import matrix
from lab.experiment.matrix import Row
from lab.plan import experiment_file
from tests.support.matrix_doubles import BAD, BROKEN, EXPECT, GOOD, HOST, INTERRUPTED, LAB, PLANS, TWO, Doubles, rows
from tests.support.report_page import facts
from tests.support.timelines import changed, kind, quiet

BAD_LAB = LabNotUp("the lab is not healthy", evidence="web1: nginx is failed")


def test_every_shipped_experiment_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of their names; an experiment without faults, or with commands, is run as written."""
    assert [it.name for it in matrix.rows(PLANS, "", 10)] == [it.name for it in PLANS]
    assert [it.rounds for it in rows("control", "two-faults", "web1-freeze", rounds=10)] == [0, 10, 10]
    story = experiment_file.load(Path(__file__).parents[1] / "cases" / "plans" / "whole.yml", LAB)
    monkeypatch.setattr(matrix_results, "fingerprint", str)
    assert [it.rounds for it in matrix.rows([story], "", 10)] == [0]


def test_mistakes_are_refused_together() -> None:
    """Each with the name that was probably meant."""
    with pytest.raises(BadInput) as caught:
        rows("web1-frezee", "control", "x", rounds=0, times=0)
    problems = caught.value.evidence.splitlines()
    assert problems[0].startswith("- there is no experiment 'web1-frezee'; did you mean web1-freeze?")
    assert problems[1] == "- there is no experiment 'x'; see all: invoke experiment.list"
    assert problems[2:] == ["- --rounds 0: at least one", "- --times 0: at least one"]


def test_a_result_says_what_came_of_it_and_of_what(tmp_path: Path) -> None:
    """It has everything that the table shows, and the seed to repeat the run."""
    it = Doubles(tmp_path, GOOD)
    assert it.play(rows("web1-freeze")) == 0
    (result,) = it.results
    assert {name: result[name] for name in ("name", "verdict", "host", "rounds", "seed", "rate", "why", "run")} == {
        "name": "web1-freeze",
        "verdict": "pass",
        "host": HOST,
        "rounds": 2,
        "seed": 1,
        "rate": 6,
        "why": [],
        "run": "run-1",
    }
    two = {"injections": 2, "injections_hit": 0, "share_below": 0.776393}
    assert result["reads"]["window"] == {"requests": 48, "failed": 0, **two}
    assert (result["detection"]["median_s"], result["detection"]["max_s"], result["writes"]["lost"]) == (1.5, 2.0, 0)
    assert result["fingerprint"] == matrix_results.fingerprint("web1-freeze")
    (message,) = it.messages
    assert message.split()[3:5] == ["pass", "web1-freeze"]
    assert facts(message) == "1 1 web1 0.0 2 0 48 0 720"


def test_what_has_its_result_is_not_run_again(tmp_path: Path) -> None:
    """An interrupted matrix continues where it stopped; an interrupted row has no result."""
    it = Doubles(tmp_path, GOOD, INTERRUPTED, GOOD)
    with pytest.raises(KeyboardInterrupt):
        it.play(rows(*TWO))
    assert it.verdicts == [("web1-freeze", "pass")]
    assert it.drawn == [("run-1", "pass"), ("run-2", "inconclusive")]
    assert it.play(rows(*TWO)) == 0
    assert [name for name, *_ in it.asked] == ["web1-freeze", "web2-freeze", "web2-freeze"]
    assert it.play(rows(*TWO)) == 0


def test_an_interrupted_run_that_saw_a_violation_keeps_it(tmp_path: Path) -> None:
    """Ctrl-C does not discard a failure."""
    it = Doubles(tmp_path, changed(BAD, kind("end"), complete=False, why="interrupted"))
    with pytest.raises(KeyboardInterrupt):
        it.play(rows("web1-freeze"))
    assert it.verdicts == [("web1-freeze", "fail")]


def test_the_same_row_again_comes_at_other_moments(tmp_path: Path) -> None:
    """Each run has another seed; both results are saved, and the last one decides."""
    it = Doubles(tmp_path, BAD, GOOD)
    assert it.play(rows("web1-freeze")) == 1
    assert it.results[0]["why"] == ["failed-gets fail: 1 GETs, at most 0 (of 721; 1 x HTTP 503; due at +5.5 s)"]
    assert it.play(rows("web1-freeze"), again=True) == 0
    assert [seed for _, _, seed, _ in it.asked] == [1, 2]
    assert [verdict for _, verdict in it.verdicts] == ["fail", "pass"]


def test_fewer_rounds_do_not_stand_for_more(tmp_path: Path) -> None:
    """A result of one round is not enough for two."""
    it = Doubles(tmp_path, GOOD, GOOD)
    it.play(rows("web1-freeze", rounds=1))
    it.play(rows("web1-freeze", rounds=10))
    assert [rounds for _, rounds, _, _ in it.asked] == [1, 10]


def test_a_result_of_other_code_does_not_count(tmp_path: Path) -> None:
    """But it stays in the file."""
    it = Doubles(tmp_path, GOOD, GOOD)
    (row,) = rows("web1-freeze")
    it.play([Row(row.plan, row.rounds, "older")])
    assert matrix.left([row], it.results) == [row]
    it.play([row])
    assert [result["fingerprint"] for result in it.results] == ["older", row.fingerprint]


def test_a_lab_that_is_not_whole_is_reset_once(tmp_path: Path) -> None:
    """After the reset the row is run."""
    it = Doubles(tmp_path, BAD_LAB, GOOD)
    assert it.play(rows("web1-freeze")) == 0
    assert (it.resets, it.verdicts) == (1, [("web1-freeze", "pass")])


def test_a_lab_that_stays_broken_is_an_error_and_the_next_row_is_tried(tmp_path: Path) -> None:
    """Exit 3; an error is no result, so the row is run again the next time."""
    it = Doubles(tmp_path, BAD_LAB, BAD_LAB, GOOD, GOOD)
    assert it.play(rows(*TWO)) == 3
    assert it.verdicts == [("web1-freeze", "error"), ("web2-freeze", "pass")]
    assert it.results[0]["why"] == ["the lab is not healthy", "web1: nginx is failed"]
    assert it.messages[0].startswith("1 of 2  error         web1-freeze")
    assert it.play(rows(*TWO)) == 0


def test_a_reset_that_fails_is_an_error_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not end the matrix."""
    it = Doubles(tmp_path, BAD_LAB, GOOD)

    def reset() -> None:
        raise LabError("there is no clean snapshot")

    monkeypatch.setattr(it, "reset", reset)
    assert it.play(rows(*TWO)) == 3
    assert it.results[0]["why"] == ["there is no clean snapshot"]


def test_infrastructure_that_broke_in_the_middle_is_one_result(tmp_path: Path) -> None:
    """The row is not run again at once, and the result says what failed."""
    it = Doubles(tmp_path, BROKEN)
    assert it.play(rows("web1-freeze")) == 3
    assert (it.verdicts, it.resets) == ([("web1-freeze", "error")], 0)
    assert it.results[0]["why"] == ["the test infrastructure failed: Locust died"]


@pytest.mark.parametrize(
    ("stories", "code"),
    [
        ((GOOD, BAD), 1),
        ((BROKEN, BAD), 1),
        ((GOOD, BROKEN), 3),
        ((GOOD, changed(GOOD, kind("run"), expect=[{"check": "x", "at_most": 0}])), 4),
        ((GOOD, GOOD), 0),
    ],
)
def test_the_worst_row_decides(tmp_path: Path, stories: tuple[list[Entry], ...], code: int) -> None:
    """A failure first, then an infrastructure error, then an inconclusive row."""
    assert Doubles(tmp_path, *stories).play(rows(*TWO)) == code


def test_where_nothing_breaks_ten_minutes_are_measured(tmp_path: Path) -> None:
    """Because false alarms are rare."""
    it = Doubles(tmp_path, quiet(expect=EXPECT))
    it.play(rows("control"))
    assert it.asked == [("control", 0, 1, 600)]


def test_the_time_left_learns_from_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It uses the row's last duration, or a guess corrected by the durations of other rows."""
    it = Doubles(tmp_path, GOOD, GOOD, GOOD)
    it.play(rows("web1-freeze"))
    assert "1 of 1: web1-freeze; about 3 minutes to the end" in capsys.readouterr().err
    matrix_results.append({**it.results[0], "took_s": 1800}, it.path)
    it.play(rows(*TWO), again=True)
    lines = [line for line in capsys.readouterr().err.splitlines() if "minutes to the end" in line]
    assert lines[0].endswith("1 of 2: web1-freeze; about 45 minutes to the end")
