"""Checks of what an experiment told the lab to do: one that promotes nobody must not pass for one that did."""

from lab.checks.finding import Finding, found, nothing
from lab.history import History

FAILED = "failed-commands"


def failed(history: History) -> Finding:
    """Commands that ended with an exit code other than 0, those that bring the lab back too."""
    given = history.seen("lab", "command")
    if not given:
        return nothing("commands", "no command was given")
    ended = [f"{it.data['words']} ended with {it.data['exit_code']}" for it in given if it.data["exit_code"]]
    return found(len(ended), "commands", "; ".join(ended) or f"{len(given)} commands ended with 0")
