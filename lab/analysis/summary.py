"""summary.json: the result of a run in a stable format."""

from collections.abc import Sequence
from typing import Any

from lab.analysis.checks.catalogue import Check, RunVerdict, find
from lab.analysis.checks.finding import Value
from lab.analysis.checks.writes import of
from lab.analysis.exposure import risk
from lab.analysis.history import History

TIMES = {"detected_s": "detected", "outage_s": "longest-outage", "recovered_s": "recovered"}
WRITES = {"lost": "lost-writes", "duplicated": "duplicated-writes", "unexpected": "unexpected-writes"}


def summarize(history: History, checks: Sequence[Check], verdict: RunVerdict) -> dict[str, Any]:
    """All keys that scripts may rely on; an unknown value is None."""
    return {
        "name": history.run.get("name", ""),
        "verdict": verdict,
        "checks": [_check(check) for check in checks],
        "requests": {method: _requests(history, method) for method in ("GET", "POST")},
        "writes": _writes(history),
        "faults": [
            {"kind": it.kind, "node": it.node, "injected_at": it.injected, "healed_at": it.healed}
            for it in history.faults
        ],
        "times": _values(history, TIMES),
        "generator": {"cpu": _cpu(history)},
        **risk(history),
    }


def _check(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "verdict": check.verdict,
        "value": check.value,
        "unit": check.unit,
        "bound": check.bound,
    }


def _requests(history: History, method: str) -> dict[str, int]:
    """The number of requests by outcome; 'no such note' is an answer, as in the check of failed GETs."""
    words = ["ok" if it.is_answered else it.outcome for it in history.requests if it.method == method]
    return {word: words.count(word) for word in ("ok", "failed", "unknown")}


def _writes(history: History) -> dict[str, Value]:
    writes = of(history)
    values = _values(history, WRITES)
    seen = {key: find(history, name).value or values[key] for key, name in WRITES.items()}  # what was observed counts
    return {"acknowledged": len(writes.acknowledged), **seen, "unknown": len(writes.unknown)}


def _values(history: History, names: dict[str, str]) -> dict[str, Value]:
    findings = {key: find(history, name) for key, name in names.items()}
    return {key: finding.value if finding.enough else None for key, finding in findings.items()}


def _cpu(history: History) -> float | None:
    """The share of a core that the busiest process of the load used."""
    shares: list[float | None] = [it.data["cpu"] for it in history.seen("lab", "generator")]
    return shares[-1] if shares else None
