"""Checks of the commands of an experiment: a run whose promotion was refused must not pass as one with a promotion."""

from lab.analysis.checks.finding import Finding, found, nothing
from lab.analysis.history import History
from lab.errors import CheckFailed

FAILED = "failed-commands"


def failed(history: History) -> Finding:
    """Commands that ended with an exit code other than 0, including those that restore the lab."""
    given = history.seen("lab", "command")
    if not given:
        return nothing("commands", "no command was run")
    ended = [f"{it.data['words']} ended with {it.data['exit_code']}" for it in given if it.data["exit_code"]]
    return found(len(ended), "commands", "; ".join(ended) or f"{len(given)} commands ended with 0")


def refused(history: History) -> bool:
    """Whether a command was refused before the test infrastructure failed; such a failure refuses nothing itself."""
    broke = min((it.at for it in history.broken), default=history.end)
    given = history.seen("lab", "command")
    return any(it.data["exit_code"] == CheckFailed.exit_code and it.at <= broke for it in given)
