"""Leaving an experiment: each part of the tidying is tried, whatever became of the one before."""

from collections.abc import Callable

from lab import progress
from lab.errors import explained


def tried(what: str, do: Callable[[], object], then: str) -> str:
    """Do it; where that fails say so with what to do next, `then` at last, and return why, else ''."""
    try:
        do()
    except Exception as error:
        it = explained(error)
        progress.say("lab", f"{what}: {it.what}; next: {', then '.join(filter(None, (it.hint, then)))}")
        return f"{what}: {it}"
    return ""
