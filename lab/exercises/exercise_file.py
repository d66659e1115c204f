"""exercises/NN-name/exercise.yml, each checked whole: title, stage, predictions, goals with their hints."""

import importlib.util
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab import yaml_file
from lab.errors import BadInput, did_you_mean
from lab.mistakes import Mistake, invalid
from lab.state.choices import Algorithm, Mode, Persistence, Stage
from lab.topology import ROOT
from lab.yaml_file import Document

EXERCISES = ROOT / "exercises"
FILE, TEXT, CHECK, SOLUTION = "exercise.yml", "README.md", "check.py", "solution.py"
PARTS = (FILE, TEXT, CHECK, SOLUTION)
LIST = "invoke exercise.list"
ONCE, NOW = "once", "now"
SHORTEST_MIN, LONGEST_MIN = 20, 40
Id = Annotated[str, Field(pattern=r"^[a-z][a-z-]*$")]
Line = Annotated[str, Field(min_length=1, max_length=200)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Question(_Strict):
    """What is asked: one of `allowed`, a `number`, or, without both, any word."""

    question: Line
    allowed: list[str] = []
    number: bool = False


class Prediction(Question):
    """A question that is answered before the measurement."""

    id: Id


class Goal(_Strict):
    """What a student reaches: once is enough, or it must be true now. `answer`: what is asked for it."""

    id: Id
    text: Line
    lasts: Literal["once", "now"]
    answer: Question | None = None
    hints: list[Line] = Field(min_length=2)


class Requires(_Strict):
    """What the lab must have when the exercise starts; None: whatever it has."""

    web_servers: int = Field(default=1, ge=1)
    algorithm: Algorithm | None = None
    mode: Mode | None = None
    persistence: Persistence | None = None


class ExerciseFile(_Strict):
    """A whole file."""

    title: str = Field(min_length=1, max_length=80)
    stage: Stage
    minutes: int = Field(ge=SHORTEST_MIN, le=LONGEST_MIN)
    requires: Requires = Requires()
    predictions: list[Prediction] = Field(min_length=1)
    goals: list[Goal] = Field(min_length=1)


@dataclass(frozen=True)
class Exercise:
    """One exercise; `name` is that of its folder, which begins with its number."""

    name: str
    folder: Path
    title: str
    stage: str
    minutes: int
    requires: Requires
    predictions: Sequence[Prediction]
    goals: Sequence[Goal]

    @property
    def number(self) -> str:
        """The first two characters of its name."""
        return self.name[:2]

    @property
    def questions(self) -> dict[str, Question]:
        """What `exercise.check --answer` takes, by the goal that it is for."""
        return {goal.id: goal.answer for goal in self.goals if goal.answer}

    def module(self, file: str) -> ModuleType:
        """CHECK or SOLUTION of this exercise, imported: a folder that begins with a digit is no package."""
        path = self.folder / file
        spec = importlib.util.spec_from_file_location(f"exercise_{self.number}_{path.stem}", path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


def names(folder: Path = EXERCISES) -> list[str]:
    """The names of all exercises, in their order."""
    return sorted(path.name for path in folder.glob("[0-9][0-9]-*") if path.is_dir())


def every(folder: Path = EXERCISES) -> list[Exercise]:
    """All exercises, in their order; raises BadInput that lists the mistakes of every file."""
    found: list[Exercise] = []
    wrong: list[BadInput] = []
    for name in names(folder):
        try:
            found.append(load(folder / name))
        except BadInput as error:
            wrong.append(error)
    if together := yaml_file.together(wrong):
        raise together
    return found


def find(word: str, folder: Path = EXERCISES) -> Exercise:
    """The exercise of a name or a number, 3 as well as 03; raises BadInput with the one that was probably meant."""
    known = names(folder)
    number = f"{int(word):02d}-" if re.fullmatch(r"[0-9]{1,2}", word) else ""
    for name in known:
        if name == Path(word).name or (number and name.startswith(number)):
            return load(folder / name)
    raise BadInput(f"there is no exercise {word!r}; {did_you_mean(word, known, LIST)}", hint=LIST)


def load(folder: Path) -> Exercise:
    """Read and check an exercise; raises BadInput that lists every mistake with its line and place."""
    missing = [name for name in PARTS if not (folder / name).is_file()]
    if missing:
        raise BadInput(f"exercises/{folder.name} lacks {', '.join(missing)}", hint="see docs/exercises.md")
    document = Document.read(f"{folder.name}/{FILE}", yaml_file.text(folder / FILE))
    if not isinstance(document.data, dict):
        raise document.without_settings("title:")
    mistakes = [*document.duplicates(), *document.octals(), *_twice(document.data)]
    parsed: ExerciseFile | None = None
    try:
        parsed = ExerciseFile.model_validate(document.data)
    except ValidationError as error:
        mistakes += invalid(error, "an exercise", ExerciseFile)
    if mistakes or parsed is None:
        raise document.refusal(mistakes)
    return Exercise(folder.name, folder, **dict(parsed))


def _twice(data: dict[str, Any]) -> Iterator[Mistake]:
    """Goals or predictions with the same id; and predictions whose answer nothing could be."""
    for part in ("predictions", "goals"):
        entries = data.get(part)
        seen: set[str] = set()
        for index, it in enumerate(entries if isinstance(entries, list) else []):
            name = str(it.get("id")) if isinstance(it, dict) else ""
            if name in seen:
                yield (part, str(index), "id"), f"{name!r} is the id of another one of the {part}"
            seen.add(name)
