"""Checks of writes, after Jepsen's set checker: acknowledged writes against the final content of the databases."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lab.analysis.checks import coverage
from lab.analysis.checks.finding import Finding, found, nothing
from lab.analysis.history import History

NO_WRITES = "no POST was made"
KNOWN_BEST = ("ok", "unknown", "failed")
SHOWN = 3


@dataclass(frozen=True)
class Writes:
    """Tokens by their outcome at the client, and what each database holds: token -> count, and altered bodies."""

    acknowledged: frozenset[str]
    unknown: frozenset[str]
    failed: frozenset[str]
    final_reads: dict[str, dict[str, int]]
    altered: dict[str, frozenset[str]]
    unread: list[str]

    @property
    def attempts(self) -> frozenset[str]:
        """Every token that was sent."""
        return self.acknowledged | self.unknown | self.failed

    @property
    def present(self) -> set[str]:
        """Every token that at least one database holds."""
        return {token for final in self.final_reads.values() for token in final}

    @property
    def gone(self) -> frozenset[str]:
        """Acknowledged tokens that a final set lacks, or has with another body; missing in one set is lost."""
        return frozenset().union(*(self.missing_in(node) for node in self.final_reads))

    def missing_in(self, node: str) -> frozenset[str]:
        """The same for one database."""
        return (self.acknowledged - self.final_reads[node].keys()) | (self.acknowledged & self.altered[node])

    @property
    def apart(self) -> set[str]:
        """Tokens that one database holds and another one lacks."""
        return {token for token in self.present if not all(token in final for final in self.final_reads.values())}

    @property
    def missing(self) -> str:
        """Which final sets were not read, in words; '' if all were."""
        return f"not read at the end: {', '.join(self.unread)}" if self.unread else ""


def of(history: History) -> Writes:
    """The outcome of the writes of a run; if a database was read twice at the end, its last set counts."""
    best: dict[str, str] = {}
    for it in history.requests:
        if it.method == "POST":
            best[it.token] = min(best.get(it.token, "failed"), it.outcome, key=KNOWN_BEST.index)
    last = {entry.data["node"]: entry.data for entry in history.seen("lab", "final")}
    final_reads = {node: _held(data) for node, data in last.items()}
    altered = {node: frozenset(data.get("altered", ())) for node, data in last.items()}
    acknowledged, unknown, failed = (frozenset(t for t, it in best.items() if it == word) for word in KNOWN_BEST)
    databases = history.having("database") or ["any database"]
    return Writes(
        acknowledged, unknown, failed, final_reads, altered, [node for node in databases if node not in final_reads]
    )


def _held(data: Any) -> dict[str, int]:
    return {token: count for token, count in data["tokens"].items() if count}


def acknowledged(history: History) -> Finding:
    """The number of acknowledged writes; if they are few, 'none lost' proves little."""
    writes = of(history)
    if not writes.attempts:
        return nothing("writes", NO_WRITES)
    return found(len(writes.acknowledged), "writes", f"of {len(writes.attempts)} sent", coverage.client(history))


def lost(history: History) -> Finding:
    """Acknowledged writes that a final set lacks."""
    writes = of(history)
    if not writes.acknowledged:
        return nothing("writes", "no write was acknowledged" if writes.attempts else NO_WRITES)
    where = {node: writes.missing_in(node) for node in writes.final_reads}
    parts = [f"{len(tokens)} missing in {node} ({_some(tokens)})" for node, tokens in where.items() if tokens]
    altered = writes.gone & frozenset().union(*writes.altered.values())
    parts += [f"{len(altered)} with another body"] if altered else []
    return counted(len(writes.gone), "; ".join([f"of {len(writes.acknowledged)} acknowledged", *parts]), writes)


def duplicated(history: History) -> Finding:
    """Tokens that a final set holds more than once."""
    writes = of(history)
    if not writes.attempts:
        return nothing("writes", NO_WRITES)
    twice = {token for final in writes.final_reads.values() for token, count in final.items() if count > 1}
    return counted(len(twice), f"of {len(writes.attempts)} sent{_named(twice)}", writes)


def unexpected(history: History) -> Finding:
    """Tokens in a final set that were never sent, had failed, are in one database only, or have another body.

    The last two count only if they were not acknowledged: else they are lost.
    """
    writes = of(history)
    if not writes.attempts:
        return nothing("writes", NO_WRITES)
    invented, appeared = writes.present - writes.attempts, writes.present & writes.failed
    apart = writes.apart - writes.acknowledged
    altered = frozenset().union(*writes.altered.values()) - writes.acknowledged
    all_ = invented | appeared | apart | altered
    detail = f"{len(invented)} never sent, {len(appeared)} of {len(writes.failed)} failed ones appeared"
    detail += f", {len(apart)} in one database only, {len(altered)} with another body"
    return counted(len(all_), detail + _named(all_), writes)


def unknown(history: History) -> Finding:
    """Writes whose outcome the client can't know; the detail says how many appeared."""
    writes = of(history)
    if not writes.attempts:
        return nothing("writes", NO_WRITES)
    detail = f"of {len(writes.attempts)} sent; {len(writes.unknown & writes.present)} appeared"
    return found(len(writes.unknown), "writes", detail, coverage.client(history))


def counted(count: int, detail: str, writes: Writes) -> Finding:
    """A finding whose count is a minimum if a final set was not read."""
    return found(count, "writes", detail, writes.missing)


def _named(tokens: Iterable[str]) -> str:
    return f" ({_some(tokens)})" if tokens else ""


def _some(tokens: Iterable[str]) -> str:
    names = sorted(tokens)
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
