"""The file of an exercise: all its mistakes at once, and the shipped ones are right."""

import shutil
from pathlib import Path

import pytest

from lab.errors import BadInput
from lab.exercises import exercise_file
from lab.exercises.exercise_file import CHECK, EXERCISES, SOLUTION, TEXT, Exercise

SHIPPED = exercise_file.every()
PARTS = ("Question", "Predict", "Do", "Measure", "Explain", "Going further")
MISTAKES = """title: Two mistakes are none
stage: elsewhere
minutes: 5
goal: []
predictions:
  - {id: one, question: "How many?", number: yes}
  - {id: one, question: "How many?", numbr: true}
goals:
  - {id: One, text: Something, lasts: forever, hints: [only one]}
  - {id: two, text: Something, lasts: once, hints: [first, second], answer: {question: What, allowed: [1]}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the exercises."""
    shutil.copytree(EXERCISES, tmp_path / "exercises")
    return tmp_path / "exercises"


def test_every_mistake_of_a_file_is_named_at_once(folder: Path) -> None:
    """With its line and place."""
    (folder / "01-follow-one-request" / "exercise.yml").write_text(MISTAKES)
    with pytest.raises(BadInput) as raised:
        exercise_file.find("01", folder)
    places = ["stage", "minutes", "goal:", "predictions.1.numbr", "predictions.1.id", "goals.0.id", "goals.0.lasts"]
    for place in [*places, "goals.0.hints", "goals.1.answer.allowed.0"]:
        assert place in str(raised.value)


def test_an_exercise_lacks_no_part(folder: Path) -> None:
    """The others are listed all the same."""
    (folder / "03-kill-a-web-server" / TEXT).unlink()
    (folder / "03-kill-a-web-server" / CHECK).unlink()
    with pytest.raises(BadInput, match=r"lacks README.md, check.py"):
        exercise_file.every(folder)
    assert exercise_file.find("1", folder).number == "01"


@pytest.mark.parametrize("word", ["03", "3", "03-kill-a-web-server", "exercises/03-kill-a-web-server/"])
def test_an_exercise_is_found_by_name_or_number(word: str) -> None:
    """Also by the path that a shell completes."""
    assert exercise_file.find(word).name == "03-kill-a-web-server"


@pytest.mark.parametrize(("word", "meant"), [("kill-a-web-server", "03-kill"), ("77", "one of"), ("", "one of")])
def test_an_unknown_exercise_is_not_found(word: str, meant: str) -> None:
    """With the one that was meant."""
    with pytest.raises(BadInput, match=meant):
        exercise_file.find(word)


@pytest.mark.parametrize("exercise", SHIPPED, ids=lambda it: it.name)
def test_check_and_solution_fit_the_file(exercise: Exercise) -> None:
    """A check for every goal, a measurement for every prediction, a solution, and steps in the text."""
    check = exercise.module(CHECK)
    assert list(check.GOALS) == [it.id for it in exercise.goals]
    assert list(check.MEASURED) == [it.id for it in exercise.predictions]
    assert exercise.module(SOLUTION).STEPS
    text = (exercise.folder / TEXT).read_text(encoding="utf-8")
    places = [text.index(f"\n## {part}") for part in PARTS]
    assert places == sorted(places) and "**What you will know:**" in text
    assert text.startswith(f"# {exercise.number}. ") and f"About {exercise.minutes} minutes" in text
    assert text.splitlines()[0] == f"# {exercise.number}. {exercise.title}"
