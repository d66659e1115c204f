"""How the balancer took a server out of service, and how each node came back, in sentences."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from statistics import median

from lab.analysis.checks.detection import Reaction, detections, recoveries
from lab.analysis.history import FaultSpan, History
from lab.report.fault_phrases import duration
from lab.report.rounds import results, rounds

GAP_S = 1.0  # without an answer for longer than that, the site was gone
MOST_NAMED = 5


def noticed(history: History) -> Iterator[str]:
    """When HAProxy took each server out; of a run in rounds also which round was the slowest."""
    found: dict[str, list[Reaction]] = {}
    for it in detections(history):
        found.setdefault(it.server, []).append(it)
    for server, reactions in found.items():
        yield from _noticed(history, server, reactions)


def _noticed(history: History, server: str, reactions: Sequence[Reaction]) -> Iterator[str]:
    seen = [it for it in reactions if not it.missing]
    missed = len(reactions) - len(seen)
    if seen:
        yield f"HAProxy took {server} out of service after {_times(history, seen)}"
    if missed:
        often = f", {missed} of {len(reactions)} times" if len(reactions) > 1 else ""
        yield f"HAProxy was not seen to take {server} out of service{often}"


def _times(history: History, seen: Sequence[Reaction]) -> str:
    """One time; of several the median, and the longest with the round that it was in."""
    seconds = [it.seconds for it in seen]
    if duration(min(seconds)) == duration(max(seconds)):
        return duration(seconds[0]) + (" (each time)" if len(seconds) > 1 else "")
    slowest = max(seen, key=lambda it: it.seconds).fault
    which = next((f" in {it.name}" for it in rounds(history) if slowest in it.faults), " at most")
    return f"{duration(median(seconds))} (median; {duration(max(seconds))}{which})"


def returned(history: History) -> Iterator[str]:
    """How each node came back: after the last of its faults, or in all rounds; and the rounds that did harm."""
    found = {it.fault: it for it in recoveries(history)}
    latest = {fault.node: fault for fault in history.faults}
    for node, fault in latest.items():
        healing = "healing began" if len(latest) == 1 else f"healing of {node} began"
        own = [it for it in found.values() if it.fault.node == node]
        if len(rounds(history)) > 1 and own and not any(it.missing for it in own):
            yield f"{own[0].server} served again {_times(history, own)} after {healing}"
        else:
            yield _recovery(history, fault, found.get(fault), healing)
    yield from _harm(history)


def _recovery(history: History, fault: FaultSpan, reaction: Reaction | None, healing: str) -> str:
    if fault.heal is None:
        return f"{fault.node} was never healed"
    if reaction and not reaction.missing:
        return f"{reaction.server} served again {duration(reaction.seconds)} after {healing}"
    back = _answered_again(history, fault.heal)
    if fault.node in history.having("balancer") and back is not None:
        return f"the site answered again {duration(back - fault.heal)} after {healing}"
    if reaction or fault.healed is None:
        return f"{fault.node} was not seen to be healthy again"
    return f"{fault.node} was healthy again {duration(fault.healed - fault.heal)} after {healing}"


def _answered_again(history: History, at: float) -> float | None:
    """When a request was answered again, if none was around a moment."""
    answers = sorted(time for times in history.served.values() for time in times)
    after = bisect_right(answers, at)
    if after == len(answers) or (after and answers[after] - answers[after - 1] <= GAP_S):
        return None
    return answers[after]


def _harm(history: History) -> Iterator[str]:
    bad = [it for it in results(history) if it.harm]
    yield from (f"in {it.name} not all requests succeeded ({it.harm})" for it in bad[:MOST_NAMED])
    if len(bad) > MOST_NAMED:
        yield f"{len(bad) - MOST_NAMED} more rounds had requests that did not succeed: the table of rounds has them"
