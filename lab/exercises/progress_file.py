"""What a student did so far: .lab/exercises.json. It is on this machine, so no snapshot brings an older one back."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel, ConfigDict

from lab.errors import BadInput
from lab.exercises.exercise_file import NOW, Exercise
from lab.exercises.goals import Judged
from lab.state.atomic_file import alone, atomic_write
from lab.topology import ROOT

FILE = ROOT / ".lab" / "exercises.json"


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Attempt(_Frozen):
    """One exercise since its start; times are Unix seconds.

    `achieved`: the evidence of every goal that was ever right, by its id. `true_now`: the goals that were right in the
    last check. `hints`: how many were shown, by goal.
    """

    began: float
    predictions: Mapping[str, str] = {}
    answers: Mapping[str, str] = {}
    achieved: Mapping[str, str] = {}
    true_now: tuple[str, ...] = ()
    hints: Mapping[str, int] = {}
    checked: float | None = None

    def reached(self, exercise: Exercise) -> list[str]:
        """The goals that counted as reached in the last check."""
        return [it.id for it in exercise.goals if it.id in (self.true_now if it.lasts == NOW else self.achieved)]

    def is_done(self, exercise: Exercise) -> bool:
        """Whether every goal counted as reached in the last check."""
        return len(self.reached(exercise)) == len(exercise.goals)

    def after(self, judged: list[Judged], at: float) -> "Attempt":
        """This attempt after a check."""
        fresh = {it.goal.id: it.result.why for it in judged if it.result.right}
        changes = {"achieved": {**fresh, **self.achieved}, "true_now": tuple(fresh), "checked": at}
        return self.model_copy(update=changes)


class Progress(_Frozen):
    """All attempts, by exercise; `current` is the exercise that was started last, or ''."""

    current: str = ""
    attempts: Mapping[str, Attempt] = {}

    def with_attempt(self, name: str, attempt: Attempt, **changes: Any) -> "Progress":
        """This progress with another attempt at one exercise."""
        return self.model_copy(update={"attempts": {**self.attempts, name: attempt}, **changes})

    def without(self, name: str) -> "Progress":
        """This progress as if the exercise had never been started."""
        left = {it: attempt for it, attempt in self.attempts.items() if it != name}
        return Progress(current="" if self.current == name else self.current, attempts=left)


def load() -> Progress:
    """The progress so far; raises BadInput if the file was damaged by hand."""
    try:
        return Progress.model_validate_json(FILE.read_text(encoding="utf-8")) if FILE.exists() else Progress()
    except ValueError as error:
        hint = f"start the exercises anew: rm {FILE}"
        raise BadInput(f"{FILE} is damaged", evidence=str(error).splitlines()[0], hint=hint) from error


class Change:
    """The progress while a command changes it: what `new` is in the end is written."""

    def __init__(self, old: Progress) -> None:
        self.old = self.new = old


@contextmanager
def changing() -> Iterator[Change]:
    """Read and replace the progress exclusively; nothing is written if an error ends the block."""
    with alone(FILE):
        change = Change(load())
        yield change
        if change.new != change.old:
            atomic_write(FILE, change.new.model_dump_json(indent=1) + "\n")
