"""docs/matrix.md: the experiments that must find trouble, and how often they did."""

from collections import Counter
from collections.abc import Iterator, Sequence

from lab.analysis import matrix_results
from lab.analysis.matrix_results import Result
from lab.durability import Durability
from lab.plan.experiment_file import Expectation, Plan
from lab.report.check_rows import NAMES
from lab.report.grid import NONE, NOT_RUN, grid

HEAD = """## Controls: what must be found

These run without a protection, or break more than the lab can bear: were nothing found here, a zero elsewhere would
prove nothing. Found: the run passed, so all of this was found and everything else held. Of all results in the file.
"""
COLUMNS = ("experiment", "taken away", "must be found", "found in")
TROUBLE = ("lost-writes", "failed-gets", "duplicated-writes", "two-writable")
LOAD = "arrival-rate"  # says that enough was sent, not that anything was found


def section(plans: Sequence[Plan], done: Sequence[Result]) -> str:
    """Heading, what it is for, and the table."""
    found = [_control(it, matrix_results.of(done, it.name)) for it in plans if _is_control(it)]
    return f"{HEAD}\n{grid(COLUMNS, found)}"


def _is_control(plan: Plan) -> bool:
    return bool(plan.without) or any(it.check in TROUBLE for it in _wanted(plan))


def _wanted(plan: Plan) -> list[Expectation]:
    return [it for it in plan.expect if it.bound == "at_least" and it.check != LOAD]


def _control(plan: Plan, runs: Sequence[Result]) -> list[str]:
    wanted = [f"{NAMES[it.check]}: at least {it.value:g}" for it in _wanted(plan)]
    return [plan.name, ", ".join(_taken(plan)) or NONE, "; ".join(wanted) or NONE, _found(runs)]


def _taken(plan: Plan) -> Iterator[str]:
    yield from plan.without
    if plan.durability == Durability.ASYNC:
        yield "durability async"


def _found(runs: Sequence[Result]) -> str:
    verdicts = Counter(it["verdict"] for it in runs)
    judged = verdicts["pass"] + verdicts["fail"]
    apart = "".join(f", {verdicts[word]} {word}" for word in ("inconclusive", "error") if verdicts[word])
    return f"{verdicts['pass']} of {judged} runs{apart}" if runs else NOT_RUN
