"""The exposure of a run: how many faults, how soon each was noticed, and how many reads were due until then."""

from collections.abc import Sequence
from itertools import pairwise
from math import inf
from statistics import median
from typing import Any

from lab.analysis.checks import coverage
from lab.analysis.checks.attribution import notice_s
from lab.analysis.checks.detection import detections
from lab.analysis.checks.reads import in_window
from lab.analysis.history import History, Request

DOUBT = 0.05  # of 95 % confidence


def share_below(hit: int | None, injections: int) -> float | None:
    """The upper bound, with 95 % confidence, of the true share of injections that do harm.

    None if one did harm, or if that is not known. An injection hits all its requests or none, so it counts once,
    however many requests it had. For 0 of n: the exact bound of Clopper and Pearson, 1 - 0.05^(1/n).
    """
    return round(1 - DOUBT ** (1 / injections), 6) if injections and hit == 0 else None


def risk(history: History) -> dict[str, Any]:
    """The keys 'reads' and 'detection' of summary.json; what was not observed is None.

    If an observer was blind for a while, or the test infrastructure failed, failed reads may be missing: then there is
    no bound.
    """
    window = in_window(history, detections(history))
    reads_of_run = [it for it in history.requests if it.method == "GET"]
    begins = injections(history)
    blind = bool(history.broken) or bool(coverage.client(history))
    unsure = {"window": blind or bool(coverage.balancer(history)), "whole": blind}
    reads = {"window": _counted(window, begins), "whole": _counted(reads_of_run, begins)}
    reads = {part: {**it, "share_below": None} if unsure[part] else it for part, it in reads.items()}
    return {"reads": reads, "detection": _detection(history)}


def injections(history: History) -> list[float]:
    """When each injection began; faults that overlap count as one."""
    begins: list[float] = []
    until = -inf
    for fault in history.faults:
        if fault.inject > until:
            begins.append(fault.inject)
        until = max(until, inf if fault.healed is None else fault.healed)
    return begins


def _counted(reads: Sequence[Request], begins: Sequence[float]) -> dict[str, Any]:
    """How many reads, failed reads, injections with reads and with failed reads; each lasts until the next begins."""
    parts = [[it for it in reads if begin <= it.intended < stop] for begin, stop in pairwise([*begins, inf])]
    bad = [sum(not it.is_answered for it in part) for part in parts if part]
    hit = sum(count > 0 for count in bad)
    failed = sum(not it.is_answered for it in reads)
    counted = {"requests": len(reads), "failed": failed, "injections": len(bad), "injections_hit": hit}
    return {**counted, "share_below": share_below(hit, len(bad))}


def _detection(history: History) -> dict[str, Any]:
    """`bound_s` is the longest time that HAProxy's settings allow, `allowed_s` the longest of the experiment."""
    found = detections(history)
    seen = [it.seconds for it in found if not it.missing]
    expected = [it.get("at_most") for it in history.run.get("expect", []) if it["check"] == "detected"]
    return {
        "injections": len(history.faults),
        "seen": len(seen),
        "missed": len(found) - len(seen),
        "median_s": round(median(seen), 3) if seen else None,
        "max_s": round(max(seen), 3) if seen else None,
        "bound_s": notice_s(history),
        "allowed_s": next(iter(expected), None),
    }
