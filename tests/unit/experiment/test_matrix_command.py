"""invoke experiment.matrix: its messages, its files and its exit codes. The lab is a double."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from commands import experiment_matrix as command
from lab import topology
from lab.analysis import matrix_results, run_folder, timeline
from lab.errors import BadInput, CheckFailed, Locked
from lab.experiment import matrix as experiments
from lab.experiment import own_choices, runner
from lab.nodes import vm_power
from lab.operations import clean_snapshot
from lab.plan import experiment_file
from lab.plan.experiment_file import Plan
from lab.state import choices, lock
from lab.state.choices import Choices
from tests.support.report_page import facts
from tests.support.stories import shipped
from tests.support.timelines import repeated
from tests.unit.conftest import Stored

EXPECT = [{"check": "failed-gets", "at_most": 0}]
LOAD = {"rate": 20, "write_share": 0.2}


@pytest.fixture
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for results and table, and a lab in which every experiment passes."""

    @contextmanager
    def run(_lab: object, it: Plan, _roles: object, rounds: int) -> Iterator[Path]:
        folder = tmp_path / (it.name if it.seed == 1 else f"{it.name}-{it.seed}")
        folder.mkdir()
        timeline.append(folder / run_folder.TIMELINE, repeated(1, expect=EXPECT, load=LOAD))
        yield folder

    def states(_: object) -> dict[str, str]:
        return {"lb1": "running", "web1": "running"}

    monkeypatch.setattr(lock, "held", nullcontext)
    monkeypatch.setattr(experiment_file, "read", lambda lab: (shipped(lab), None))  # a user's draft is told
    monkeypatch.setattr(own_choices, "in_force", lambda *_: nullcontext())
    monkeypatch.setattr(runner, "run", run)
    monkeypatch.setattr(vm_power, "states", states)
    monkeypatch.setattr(vm_power, "found", lambda: {"driver": "qemu"})
    monkeypatch.setattr(command, "TABLE", tmp_path / "matrix.md")
    monkeypatch.setattr(command, "RESULTS", tmp_path / "matrix.jsonl")
    return tmp_path


def matrix(**words: Any) -> int:
    """Run the command; returns its exit code."""
    with pytest.raises(Exit) as ending:
        command.matrix_(Context(), **words)
    return ending.value.code


def test_rows_leave_results_a_table_and_reports(docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each row; the second time nothing is run, and the exit code is the same."""
    assert matrix(only="web1-freeze,web2-freeze") == 0
    lines = capsys.readouterr().out.splitlines()
    assert facts(lines[0]) == "2 0 2"
    assert [it.split()[:5] for it in lines[1:]] == [
        ["1", "of", "2", "pass", "web1-freeze"],
        ["2", "of", "2", "pass", "web2-freeze"],
    ]
    assert [it["host"]["accelerator"] for it in matrix_results.load(docs / "matrix.jsonl")] == ["emulated"] * 2
    assert "| web2-freeze | ✓ pass | - | - | 10 |" in (docs / "matrix.md").read_text(encoding="utf-8")
    assert (docs / "web1-freeze" / "report.html").exists()
    assert matrix(only="web1-freeze,web2-freeze") == 0
    (said_again,) = capsys.readouterr().out.splitlines()
    assert facts(said_again) == "2 2 0"


def test_rows_that_have_enough_results_are_told(docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So is the number of runs that the others need."""
    assert matrix(only="web1-freeze") == 0
    capsys.readouterr()
    assert matrix(only="web1-freeze,web2-freeze", times=2) == 0
    assert facts(capsys.readouterr().out.splitlines()[0]) == "2 0 2 3"
    assert [it["seed"] for it in matrix_results.load(docs / "matrix.jsonl")] == [1, 2, 1, 2]


def test_a_broken_draft_is_left_out(
    docs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its mistakes are reported; all others are run."""
    wrong = BadInput("draft.yml has 1 mistake")
    monkeypatch.setattr(experiment_file, "read", lambda _: (shipped(topology.load()), wrong))
    assert matrix(only="web1-freeze") == 0
    assert "left out: draft.yml has 1 mistake" in capsys.readouterr().out


def test_a_broken_draft_that_appears_while_it_runs_does_not_end_it(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are read only once."""
    answers: list[tuple[list[Plan], BadInput | None]] = [(shipped(topology.load()), None)]

    def read(_: object) -> tuple[list[Plan], BadInput | None]:
        if not answers:
            raise BadInput("draft.yml is not YAML")
        return answers.pop()

    monkeypatch.setattr(experiment_file, "read", read)
    assert matrix(only="web1-freeze,web2-freeze") == 0
    assert "| web2-freeze | ✓ pass " in (docs / "matrix.md").read_text(encoding="utf-8")


def test_without_a_lab_nothing_is_run(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3; no row gets an error as its result."""
    monkeypatch.setattr(vm_power, "states", lambda _: {"lb1": "running", "web1": "absent"})
    assert matrix(only="web1-freeze") == 3
    assert matrix_results.load(docs / "matrix.jsonl") == []


@pytest.mark.parametrize("ending", [None, CheckFailed("there is no clean snapshot")], ids=["well", "badly"])
def test_a_reset_between_rows_keeps_what_the_user_chose(
    stored: Stored, monkeypatch: pytest.MonkeyPatch, ending: CheckFailed | None
) -> None:
    """A reset clears choices, so they are set aside meanwhile; a kill during the reset does not lose them."""

    def reset(*_: object) -> list[str]:
        choices.forget([])
        assert choices.load(choices.ASIDE) == Choices(mode="active-passive")
        if ending:
            raise ending
        return []

    monkeypatch.setattr(clean_snapshot, "reset", reset)
    choices.save(mode="active-passive")
    with pytest.raises(CheckFailed) if ending else nullcontext():
        experiments.reset(topology.load(), {})
    assert stored() == {"mode": "active-passive"} and not choices.ASIDE.exists()


def test_wrong_words_are_refused(docs: Path) -> None:
    """Exit code 2."""
    assert matrix(only="web1-frezee") == matrix(rounds=0) == matrix(times=0) == 2


def test_a_matrix_beside_another_command_is_refused(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 7."""

    def held() -> None:
        raise Locked("locked by `invoke experiment.run control`")

    monkeypatch.setattr(lock, "held", held)
    assert matrix() == 7
