"""The judgement of a goal: right, or not yet and why; and all goals of an exercise together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from lab.exercises.exercise_file import ONCE, Goal
from lab.exercises.facts import Facts


@dataclass(frozen=True)
class GoalResult:
    """Whether a goal is reached, the evidence, and the command with which a student sees it."""

    right: bool
    why: str
    see: str = ""


Check: TypeAlias = Callable[[Facts], GoalResult]


def right(why: str) -> GoalResult:
    """The goal is reached."""
    return GoalResult(True, why)


def not_yet(why: str, see: str = "") -> GoalResult:
    """The goal is not reached; `why` is the evidence and never the answer."""
    return GoalResult(False, why, see)


@dataclass(frozen=True)
class Judged:
    """A goal with its result now; `before` is the evidence of an earlier check in which it was reached, or ''."""

    goal: Goal
    result: GoalResult
    before: str = ""

    @property
    def done(self) -> bool:
        """Whether the goal counts as reached: what lasts once is not lost again."""
        return self.result.right or (self.goal.lasts == ONCE and bool(self.before))


def judge(
    goals: Sequence[Goal], checks: Mapping[str, Check], facts: Facts, achieved: Mapping[str, str]
) -> list[Judged]:
    """Judge every goal from recorded facts alone; `achieved` has the evidence of earlier checks, by goal."""
    return [Judged(goal, checks[goal.id](facts), achieved.get(goal.id, "")) for goal in goals]
