"""A lab for the commands of exercises: what status says, what was recorded, and what is typed."""

import io
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
from invoke.exceptions import Exit

from lab.exercises import facts
from lab.exercises.facts import Facts
from lab.experiment import subcommand
from lab.operations import clean_snapshot, status
from lab.state import choices, lock
from tests.support.exercise_stories import injected, measurement, untouched
from tests.support.exercise_stories import status as status_of


class Double:
    """A lab: its status, and what was recorded since the start."""

    def __init__(self) -> None:
        self.status: dict[str, Any] = status_of()
        self.facts = untouched()
        self.typed: list[str] = []
        self.resets = 0

    def gather(self, _lab: object, _began: float, answers: Mapping[str, str]) -> Facts:
        """The facts of a check."""
        return replace(self.facts, answers=answers, status=self.status)

    def run(self, words: str, *_: object, **__: object) -> tuple[int, str]:
        """An experiment that is recorded."""
        self.typed.append(words)
        self.facts = untouched(runs=[measurement(*injected())])
        return 1, "FAIL"

    def reset(self, *_: object) -> list[str]:
        """The lab as it was made; what ran before the next start does not count."""
        self.resets += 1
        self.status, self.facts = status_of(), untouched()
        return []


def installed(monkeypatch: pytest.MonkeyPatch) -> Double:
    """The lab, and nobody at a terminal."""
    made = Double()
    monkeypatch.setattr(lock, "held", lambda: nullcontext(True))
    monkeypatch.setattr(choices, "of_the_user", lambda: None)
    monkeypatch.setattr(status, "collect", lambda *_: made.status)
    monkeypatch.setattr(facts, "gather", made.gather)
    monkeypatch.setattr(subcommand, "run", made.run)
    monkeypatch.setattr(clean_snapshot, "reset", made.reset)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    return made


def code(call: Callable[[], None]) -> int:
    """The exit code of a command."""
    try:
        call()
    except Exit as ending:
        return int(ending.code)
    return 0


def message(call: Callable[[], None]) -> str:
    """Why a command ended with another code than 0."""
    with pytest.raises(Exit) as ending:
        call()
    return str(ending.value.message)
