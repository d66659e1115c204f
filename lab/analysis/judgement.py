"""One run, judged once: the common input of all its reports."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.analysis.checks.catalogue import Check, RunVerdict, judge, verdict
from lab.analysis.history import History
from lab.analysis.summary import summarize
from lab.analysis.timeline import Entry


@dataclass(frozen=True)
class Judgement:
    """The history of a run, its checks, its summary and its verdict."""

    history: History
    checks: Sequence[Check]
    summary: Mapping[str, Any]
    verdict: RunVerdict

    @classmethod
    def of(cls, entries: Iterable[Entry], expect: Sequence[Mapping[str, Any]] | None = None) -> "Judgement":
        """Judge a run by its entries, against its own expectations unless `expect` is given."""
        history = History(entries)
        checks = judge(history, history.run.get("expect", []) if expect is None else expect)
        word = verdict(checks, history)
        return cls(history, checks, summarize(history, checks, word), word)
