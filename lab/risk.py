"""What the faults of a run put at risk: how many, how soon each was noticed, how many reads were due until then."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from lab.checks.blame import notice_s
from lab.checks.reaction import detections
from lab.checks.reads import in_window
from lab.history import History, Request

RULE = 3.0  # none of n: with 95 % confidence the true share is below 3 / n (the rule of three)


def share_below(failed: int | None, requests: int) -> float | None:
    """What the true share of failures is below, with 95 % confidence; None where some failed, or nobody knows."""
    return round(min(RULE / requests, 1.0), 6) if requests and failed == 0 else None


def risk(history: History) -> dict[str, Any]:
    """The keys 'reads' and 'detection' of summary.json; what was not seen is None."""
    window = in_window(history, detections(history))
    whole = [it for it in history.requests if it.method == "GET"]
    return {"reads": {"window": _counted(window), "whole": _counted(whole)}, "detection": _detection(history)}


def _counted(reads: Sequence[Request]) -> dict[str, Any]:
    failed = sum(not it.is_answered for it in reads)
    return {"requests": len(reads), "failed": failed, "share_below": share_below(failed, len(reads))}


def _detection(history: History) -> dict[str, Any]:
    """`bound_s` is what HAProxy's settings allow at most, `allowed_s` what the experiment allows."""
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
