"""The checks in plain words: what was measured, what was allowed, and the verdict with a sign."""

from collections.abc import Sequence
from dataclasses import dataclass

from lab.analysis.checks.catalogue import REPORTED, Check, judgeable
from lab.analysis.checks.finding import Value
from lab.analysis.history import History

NAMES = {
    "failed-gets": "reads that failed",
    "failed-gets-in-window": "reads that failed before HAProxy noticed the fault",
    "longest-outage": "longest time in which no read succeeded",
    "write-outage": "longest time in which no write succeeded",
    "detected": "time until HAProxy took the server out",
    "recovered": "time from healing until the server served again",
    "slow-requests": "requests that took longer than 1 s",
    "false-downs": "times a healthy server was taken out",
    "acknowledged-writes": "writes that were acknowledged",
    "lost-writes": "acknowledged writes that are gone",
    "lost-while-semi-sync-on": "of those, acknowledged while semi-sync was not OFF",
    "duplicated-writes": "writes that are there twice",
    "unexpected-writes": "writes that are there but should not be",
    "unknown-writes": "writes of which nobody knows whether they happened",
    "stale-reads": "reads that missed an acknowledged write",
    "gtid-equal": "all databases ended with the same transactions",
    "two-writable": "moments with two writable databases",
    "arrival-rate": "requests sent, of those that were due",
    "balancer-retries": "times HAProxy tried again",
    "requests-seen": "requests HAProxy counted but nobody recorded",
    "goodput": "answers in the crowd, of the most that was possible",
    "answer-time": "time of 99 % of the answers to reads in the crowd",
    "refusal-time": "longest time until the balancer refused a request",
    "unanswered": "requests that were neither answered nor refused",
    "crowd-recovery": "time after the crowd until all was answered within 3 s",
    "crowd-writes": "writes acknowledged in the crowd, of those before it",
    "failed-commands": "commands of the experiment that failed",
}
ONLY_REPORTED = "only reported"
NOT_JUDGED = "not judged"  # the test infrastructure failed: what was measured proves nothing
SIGNS = {"pass": "✓", "fail": "✗", "inconclusive": "?", "error": "!", REPORTED: "·", NOT_JUDGED: "-"}


@dataclass(frozen=True)
class Row:
    """One check as it is shown."""

    name: str
    words: str
    value: str
    bound: str
    verdict: str
    detail: str

    @property
    def decides(self) -> bool:
        """Whether it is why the run did not pass."""
        return self.verdict == "fail" or (self.verdict == "inconclusive" and self.bound != ONLY_REPORTED)

    @property
    def sign(self) -> str:
        """The verdict for those who don't see its colour."""
        return SIGNS[self.verdict]


def rows(checks: Sequence[Check], history: History) -> list[Row]:
    """The checks, in their order."""
    judged = judgeable(checks, history)
    return [_row(check, _verdict(check) if check in judged else NOT_JUDGED) for check in checks]


def _verdict(check: Check) -> str:
    return REPORTED if check.bound == REPORTED and check.verdict == "pass" else check.verdict


def _row(check: Check, verdict: str) -> Row:
    value = _value(check.value, check.unit)
    if verdict == "inconclusive" and check.value is not None:
        value = f"{value} seen"
    bound = ONLY_REPORTED if check.bound == REPORTED else _bound(check.bound, check.unit)
    return Row(check.name, NAMES.get(check.name, check.name), value, bound, verdict, check.detail)


def _value(value: Value, unit: str) -> str:
    if value is None:
        return "not seen"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if unit == "s":
        return f"{value:.2f} s"
    return f"{value:.2%}".replace("%", " %") if unit == "ratio" else str(value)


def _bound(bound: str, unit: str) -> str:
    """The bound with its unit: 'at most 4.5' -> 'at most 4.5 s'."""
    words, _, number = bound.rpartition(" ")
    if number in ("true", "false"):
        return f"must be {'yes' if number == 'true' else 'no'}"
    if unit == "ratio" and number:
        return f"{words} {float(number) * 100:g} %"
    return f"{bound} s" if unit == "s" and number else bound
