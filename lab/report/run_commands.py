"""The commands of a run: those of its story, and those that brought the lab back afterwards."""

from collections.abc import Iterable
from dataclasses import dataclass

from lab.analysis.history import History
from lab.analysis.state_intervals import Interval
from lab.analysis.timeline import Entry
from lab.report.rounds import rounds


@dataclass(frozen=True)
class RunCommand:
    """One of them; `began` is when it ended in runs that did not record it."""

    words: str
    began: float
    ended: float
    exit_code: int
    afterwards: bool

    @property
    def took_s(self) -> float:
        """How long it took, as far as that was recorded."""
        return self.ended - self.began

    @property
    def interval(self) -> Interval:
        """The same as a bar of its lane."""
        return Interval(self.began, self.ended, f"failed ({self.exit_code})" if self.exit_code else "done")


def run_commands(history: History) -> list[RunCommand]:
    """All of them, by when they began; a run in rounds has no command of its own story."""
    in_rounds = bool(rounds(history))
    entries = [*history.seen("lab", "command"), *history.seen("lab", "recovery")]
    found = [
        _run_command(it, in_rounds or it.kind == "recovery" or it.data.get("began", it.at) > history.stop)
        for it in entries
    ]
    return sorted(found, key=lambda it: it.began)


def of_the_story(found: Iterable[RunCommand]) -> list[RunCommand]:
    """What the experiment was about."""
    return [it for it in found if not it.afterwards]


def way_back(found: Iterable[RunCommand]) -> list[RunCommand]:
    """What brought the lab back."""
    return [it for it in found if it.afterwards]


def _run_command(entry: Entry, afterwards: bool) -> RunCommand:
    data = entry.data
    return RunCommand(data["words"], data.get("began", entry.at), entry.at, data.get("exit_code", 0), afterwards)
