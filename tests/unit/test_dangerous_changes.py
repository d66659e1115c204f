"""The list of dangerous changes fits the code, and what makes them tells a noticed one from one that is not."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import BadInput, InfrastructureBroken
from tests.dangerous_changes import run
from tests.dangerous_changes.run import ROOT, Change

CHANGES = run.load()
TEST = "from answer import ANSWER\n\n\ndef test_the_answer_is_right():\n    assert ANSWER == 42\n"
WRONG = Change("the answer is wrong", "answer.py", "= 42", "= 41", ["test_answer.py"])
HARMLESS = Change("a comment is wrong", "answer.py", "right", "wrong", ["test_answer.py"])
UNREADABLE = replace(WRONG, instead="= (")
HANGS = replace(WRONG, instead="= 42\nimport time; time.sleep(60)")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout with one module and its test."""
    (tmp_path / "answer.py").write_text("ANSWER = 42  # right\n")
    (tmp_path / "test_answer.py").write_text(TEST)
    for words in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.parametrize("change", CHANGES, ids=lambda it: it.what)
def test_each_change_fits_the_code_and_its_tests_exist(change: Change) -> None:
    """Its text stands there once; code that has moved on needs the entry corrected."""
    assert run.changed(ROOT, change)
    assert change.tests and all((ROOT / name).is_file() for name in change.tests)


def test_there_are_many_and_each_is_another_one() -> None:
    """Two of the same would only take time."""
    assert len({it.what for it in CHANGES}) == len(CHANGES) >= 40
    assert len({(it.file, it.text, it.instead) for it in CHANGES}) == len(CHANGES)


def test_only_a_test_that_turns_red_notices(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor does code that can't be read, nor a test that hangs, but where that is meant. The tree stays as it was."""
    monkeypatch.setattr(run, "CHANGE_S", 10.0)
    monkeypatch.setattr(run, "HANGS_S", 3.0)
    outcomes = run.run(tree, [WRONG, HARMLESS, UNREADABLE, replace(HANGS, hangs=True), HANGS])
    assert [it.noticed for it in outcomes] == [True, False, False, True, False]
    assert outcomes[0].reason == "red: test_answer.py::test_the_answer_is_right"
    assert run.report(outcomes) == 1
    first, second, third, last = capsys.readouterr().out.splitlines()
    assert first == "answer.py: a comment is wrong: NOT NOTICED, all tests are green"
    assert "NO TEST COULD RUN" in second and third.endswith("not done within 10 s")
    assert last == "2 of 5 dangerous changes turn a unit test red"
    assert (tree / "answer.py").read_text() == "ANSWER = 42  # right\n"


@pytest.mark.parametrize("text", ["= 43", " "])
def test_a_change_that_does_not_fit_is_refused(tree: Path, text: str) -> None:
    """Not there, or there more than once: exit code 2."""
    with pytest.raises(BadInput, match="no longer applies: the answer is wrong"):
        run.run(tree, [replace(WRONG, text=text)])


def test_tests_that_are_red_as_they_stand_prove_nothing(tree: Path) -> None:
    """Exit code 3."""
    (tree / "answer.py").write_text("ANSWER = 40  # right\n")
    with pytest.raises(InfrastructureBroken, match="red without a change"):
        run.run(tree, [HARMLESS])
