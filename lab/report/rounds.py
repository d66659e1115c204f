"""The rounds of a run: its faults were injected together, again and again."""

from dataclasses import dataclass
from itertools import pairwise

from lab.analysis.checks.detection import Reaction, detections, recoveries
from lab.analysis.exposure import injections
from lab.analysis.history import FaultSpan, History, Request
from lab.report.fault_phrases import duration


@dataclass(frozen=True)
class Round:
    """One of them, from its injection until the next one's."""

    number: int
    of: int
    start: float
    stop: float
    faults: tuple[FaultSpan, ...]

    @property
    def name(self) -> str:
        """As the whole report calls it."""
        return f"round {self.number} of {self.of}"


@dataclass(frozen=True)
class RoundResult:
    """What one round did, as the page and the sentences tell it."""

    name: str
    at: str
    noticed: str
    failed_reads: int
    refused_writes: int
    unknown_writes: int
    back: str

    @property
    def harm(self) -> str:
        """The requests that did not succeed, counted; '' where all did."""
        counted = (
            ("failed reads", self.failed_reads),
            ("refused writes", self.refused_writes),
            ("unknown writes", self.unknown_writes),
        )
        return ", ".join(f"{words}: {count}" for words, count in counted if count)


def rounds(history: History) -> list[Round]:
    """All that began; none where the run was not made in rounds, as far as its record or its faults tell."""
    edges = [*injections(history), history.end]
    groups = [tuple(it for it in history.faults if begin <= it.inject < stop) for begin, stop in _pairs(edges)]
    planned = int(history.run.get("rounds", len(groups) if _are_alike(groups) else 0))
    if planned < 2:
        return []
    spans = zip(_pairs(edges), groups, strict=True)
    return [Round(number, planned, start, stop, them) for number, ((start, stop), them) in enumerate(spans, 1)]


def results(history: History) -> list[RoundResult]:
    """What came of each round."""
    found = rounds(history)
    noticed, back = (detections(history), recoveries(history)) if found else ([], [])
    return [_result(history, it, noticed, back) for it in found]


def _pairs(edges: list[float]) -> list[tuple[float, float]]:
    return list(pairwise(edges)) if len(edges) > 1 else []


def _are_alike(groups: list[tuple[FaultSpan, ...]]) -> bool:
    """Whether the same faults came each time; the last time of an interrupted run may lack some."""
    ids = [{fault.id for fault in group} for group in groups]
    return len(ids) > 1 and all(it == ids[0] for it in ids[:-1]) and ids[-1] <= ids[0]


def _result(history: History, it: Round, noticed: list[Reaction], back: list[Reaction]) -> RoundResult:
    due = [request for request in history.requests if it.start <= request.intended < it.stop]
    return RoundResult(
        it.name,
        f"{it.start - history.start:.1f} s",
        _longest(it, noticed),
        _count(due, "GET", "failed"),
        _count(due, "POST", "failed"),
        _count(due, "POST", "unknown"),
        _longest(it, back),
    )


def _count(requests: list[Request], method: str, outcome: str) -> int:
    return sum(it.method == method and it.outcome == outcome and not it.is_answered for it in requests)


def _longest(it: Round, reactions: list[Reaction]) -> str:
    own = [reaction for reaction in reactions if reaction.fault in it.faults]
    if any(reaction.missing for reaction in own):
        return "not seen"
    return duration(max(reaction.seconds for reaction in own)) if own else "-"
