"""Judge the history of a run against its expectations."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lab.analysis.checks import balancer, commands, crowd, databases, load, outages, reads, semi_sync, writes
from lab.analysis.checks.finding import Finding, Value, nothing
from lab.analysis.history import History

Verdict = Literal["pass", "fail", "inconclusive"]
RunVerdict = Literal["error", "fail", "inconclusive", "pass"]
BOUNDS = ("at_most", "at_least", "equals", "reported")
REPORTED = "reported"
IN_THE_END = ("lost-writes", "duplicated-writes", "gtid-equal")

CHECKS: Mapping[str, Callable[[History], Finding]] = {
    "failed-gets": reads.failed,
    "failed-gets-in-window": reads.failed_in_window,
    "longest-outage": outages.reads,
    "write-outage": outages.writes,
    "detected": balancer.detected,
    "recovered": balancer.recovered,
    "slow-requests": outages.slow,
    "false-downs": balancer.false_downs,
    "acknowledged-writes": writes.acknowledged,
    "lost-writes": writes.lost,
    "lost-while-semi-sync-on": semi_sync.lost_while_on,
    "duplicated-writes": writes.duplicated,
    "unexpected-writes": writes.unexpected,
    "unknown-writes": writes.unknown,
    "stale-reads": reads.stale,
    "gtid-equal": databases.gtid_equal,
    "two-writable": databases.two_writable,
    "arrival-rate": load.arrival_rate,
    "balancer-retries": balancer.retries,
    "requests-seen": load.requests_seen,
    commands.FAILED: commands.failed,
    "goodput": crowd.goodput,
    "answer-time": crowd.answer_time,
    "refusal-time": crowd.refusal_time,
    "unanswered": crowd.unanswered,
    "crowd-recovery": crowd.recovery,
    "crowd-writes": crowd.writes,
}


@dataclass(frozen=True)
class Check:
    """One judged expectation."""

    name: str
    verdict: Verdict
    value: Value
    unit: str
    bound: str
    detail: str


def judge(history: History, expectations: Iterable[Mapping[str, Any]]) -> list[Check]:
    """Judge each expectation: a name in `check`, and one of BOUNDS."""
    return [_judge(history, expectation) for expectation in expectations]


def _judge(history: History, expectation: Mapping[str, Any]) -> Check:
    name = str(expectation["check"])
    word = next((it for it in BOUNDS if it in expectation), "")
    bound = expectation.get(word)
    finding = find(history, name)
    verdict = _compare(finding, word, bound)
    if word == "at_least" and verdict == "fail" and not _is_complete(history):
        verdict = "inconclusive"  # the rest of the run might have reached the bound
    return Check(name, verdict, finding.value, finding.unit, _text(word, bound), finding.detail)


def find(history: History, name: str) -> Finding:
    """Run one check; a check that crashes finds nothing, and says why."""
    if name not in CHECKS:
        return nothing("", f"there is no check {name!r}")
    try:
        return CHECKS[name](history)
    except Exception as error:  # whatever it was, it must not pass, and must not hide the other checks
        return nothing("", f"the check could not judge this timeline: {type(error).__name__}: {error}")


def _compare(finding: Finding, word: str, bound: Any) -> Verdict:
    value = finding.value
    if value is None or word not in BOUNDS:
        return "inconclusive"
    if not finding.enough:
        broken = word in ("at_most", "equals") and value > bound
        return "fail" if broken else "inconclusive"
    if word == REPORTED:
        return "pass"
    satisfied = {"at_most": value <= bound, "at_least": value >= bound, "equals": value == bound}
    return "pass" if satisfied[word] else "fail"


def _text(word: str, bound: Any) -> str:
    if word in ("", REPORTED):
        return word
    number = str(bound).lower() if isinstance(bound, bool) else f"{bound:g}"
    return f"{word.replace('_', ' ')} {number}"


def verdict(checks: Sequence[Check], history: History) -> RunVerdict:
    """The verdict of a run; if the test infrastructure failed it is 'error', unless an observed violation stands.

    To pass, a run must be complete. Checks that only report do not count, unless there are no others.
    """
    judged = judgeable(checks, history)
    if history.broken:
        return "fail" if judged else "error"
    counted = [it.verdict for it in judged if it.bound != REPORTED] or [it.verdict for it in judged]
    if "fail" in counted:
        return "fail"
    return "pass" if _is_complete(history) and counted and set(counted) == {"pass"} else "inconclusive"


def _is_complete(history: History) -> bool:
    """Whether the run reached its planned end."""
    ends = history.seen("lab", "end")
    return bool(history.run) and bool(ends) and ends[-1].data["complete"] is True and not history.broken


def judgeable(checks: Sequence[Check], history: History) -> list[Check]:
    """All checks; if the test infrastructure failed, only the violations that this can't have caused.

    Such a failure makes requests fail and outages long, and loses records, so that fewer writes are known and more are
    unexpected. The answers of the databases still count, and so does a command that was refused before.
    """
    if not history.broken:
        return list(checks)
    return [it for it in checks if it.verdict == "fail" and _stands(it, history)]


def _stands(check: Check, history: History) -> bool:
    if check.name in IN_THE_END:
        return not writes.of(history).unread
    return check.name == "two-writable" or (check.name == commands.FAILED and commands.refused(history))
