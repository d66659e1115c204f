"""What happened, in one sentence made of the facts alone."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from lab.analysis.checks.catalogue import REPORTED, find
from lab.analysis.checks.detection import Reaction, detections, recoveries
from lab.analysis.history import FaultSpan, History
from lab.report.fault_phrases import duration, phrase

OUTAGE_S = 1.0  # without an answer for longer than that, a user calls it an outage


def sentence(history: History, summary: Mapping[str, Any]) -> str:
    """One sentence for a whole run; `summary` is that of summary.json."""
    if history.broken:
        first = history.broken[0]
        when = max(first.at - history.start, 0.0)
        judged = "only what it can't have made" if summary["verdict"] == "fail" else "nothing"
        return f"The rig broke at {when:.1f} s ({first.data['why']}), so {judged} is judged."
    parts = [
        *_ended_early(history),
        _faults(history),
        *_detections(history),
        ", ".join(_counts(history, summary)),
        *_recoveries(history),
        *_doubts(summary),
    ]
    text = "; ".join(parts) + "."
    return text if text.startswith(tuple(history.run.get("nodes", {}))) else text[0].upper() + text[1:]


def _ended_early(history: History) -> Iterator[str]:
    ends = history.seen("lab", "end")
    if ends and ends[-1].data["complete"]:
        return
    why = ends[-1].data.get("why") if ends else ""
    yield f"the run ended early, after {max(history.end - history.start, 0):.1f} s" + (f" ({why})" if why else "")


def _faults(history: History) -> str:
    first: dict[str, float] = {}
    phrases = [(phrase(entry.data["fault"]), entry.at - history.start) for entry in history.seen("lab", "inject")]
    for what, at in reversed(phrases):
        first[what] = at
    times = Counter(what for what, _ in phrases)
    ordered = sorted(first.items(), key=lambda it: it[1])
    return ", ".join(f"{what}{_at(at, times[what])}" for what, at in ordered) or "nothing was broken"


def _at(at: float, times: int) -> str:
    return f" at {at:.1f} s" if times == 1 else f" {times} times, first at {at:.1f} s"


def _detections(history: History) -> Iterator[str]:
    found: dict[str, list[Reaction]] = {}
    for it in detections(history):
        alone = len({fault.id for fault in history.faults}) == 1 and it.fault.node == it.server
        found.setdefault("it" if alone else it.server, []).append(it)
    for server, reactions in found.items():
        yield from _noticed(server, reactions)


def _noticed(server: str, reactions: Sequence[Reaction]) -> Iterator[str]:
    seconds = [it.seconds for it in reactions if not it.missing]
    missed = len(reactions) - len(seconds)
    if seconds:
        longest = f" (median; {duration(max(seconds))} at most)" if len(seconds) > 1 else ""
        yield f"HAProxy took {server} out after {duration(median(seconds))}{longest}"
    if missed:
        often = f", {missed} of {len(reactions)} times" if len(reactions) > 1 else ""
        yield f"HAProxy was not seen to take {server} out{often}"


def _counts(history: History, summary: Mapping[str, Any]) -> Iterator[str]:
    reads, writes = summary["requests"]["GET"], summary["requests"]["POST"]
    made = [sum(reads.values()), sum(writes.values())]
    if not any(made):
        yield "no request was made"
    if made[0]:
        yield f"of {made[0]} reads {reads['failed']} failed" + _outage(history, reads["failed"])
    if made[1]:
        lost = _lost(summary["writes"])
        yield f"{writes['ok']} of {made[1]} writes were acknowledged{lost}"


def _outage(history: History, failed: int) -> str:
    seconds = find(history, "longest-outage").value
    return f" and for {duration(seconds)} none succeeded" if failed and seconds and seconds > OUTAGE_S else ""


def _lost(writes: Mapping[str, Any]) -> str:
    if not writes["acknowledged"]:
        return ""
    return ", how many of them were lost is not known" if writes["lost"] is None else f", {writes['lost']} lost"


def _recoveries(history: History) -> Iterator[str]:
    """How each node came back, after the last of its faults."""
    found = {it.fault: it for it in recoveries(history)}
    latest = {fault.node: fault for fault in history.faults}
    for node, fault in latest.items():
        healing = "healing began" if len(latest) == 1 else f"healing of {node} began"
        yield _recovery(history, fault, found.get(fault), healing)


def _recovery(history: History, fault: FaultSpan, reaction: Reaction | None, healing: str) -> str:
    if fault.heal is None:
        return f"{fault.node} was never healed"
    if reaction and not reaction.missing:
        return f"{reaction.server} served again {duration(reaction.seconds)} after {healing}"
    back = _answered_again(history, fault.heal)
    if fault.node in history.having("balancer") and back is not None:
        return f"the site answered again {duration(back - fault.heal)} after {healing}"
    if reaction or fault.healed is None:
        return f"{fault.node} was not seen to be whole again"
    return f"{fault.node} was whole again {duration(fault.healed - fault.heal)} after {healing}"


def _answered_again(history: History, at: float) -> float | None:
    """When a request was answered again, if none was around a moment."""
    answers = sorted(time for times in history.served.values() for time in times)
    after = bisect_right(answers, at)
    if after == len(answers) or (after and answers[after] - answers[after - 1] <= OUTAGE_S):
        return None
    return answers[after]


def _doubts(summary: Mapping[str, Any]) -> Sequence[str]:
    counted = [check["verdict"] for check in summary["checks"] if check["bound"] != REPORTED]
    doubtful = counted.count("inconclusive")
    if summary["verdict"] != "inconclusive" or not doubtful:
        return []
    return [f"{doubtful} of {len(counted)} checks saw too little to judge"]
