"""docs/matrix.md: what became of acknowledged writes, summed over all runs of an experiment."""

from collections.abc import Mapping, Sequence
from typing import Any

from lab.analysis import matrix_results
from lab.analysis.exposure import share_below
from lab.analysis.matrix_results import Result
from lab.plan.experiment_file import Plan
from lab.report.confidence import short
from lab.report.grid import grid

HEAD = """## What became of acknowledged writes

Each experiment that promotes, and each with more than one result, summed over all its results in the file, whatever
code they are of; inconclusive runs count too, an error that never began has no writes. `< x %`: none of n runs lost an
acknowledged write, so with 95 % confidence fewer than 1 - 0.05^(1/n) of such runs do; the writes of one run share its
faults, so more of them prove no more. `?`: a run that could not tell, a database was not read in the end; not in n.
"""
COLUMNS = (
    "experiment",
    "runs",
    "seeds",
    "acknowledged",
    "lost",
    "duplicated",
    "unexpected",
    "unknown",
    "inconclusive runs",
)
PROMOTE = "db.promote"
Writes = Mapping[str, Any]


def section(plans: Sequence[Plan], done: Sequence[Result]) -> str:
    """Heading, what is summed, and the table."""
    ran = [(it, _with_writes(it, done)) for it in plans]
    return f"{HEAD}\n{grid(COLUMNS, [_sum(it, runs) for it, runs in ran if _is_shown(it, runs)])}"


def _with_writes(plan: Plan, done: Sequence[Result]) -> list[Result]:
    return [it for it in matrix_results.of(done, plan.name) if "writes" in it]


def _is_shown(plan: Plan, runs: Sequence[Result]) -> bool:
    promotes = any(step.command.split()[:1] == [PROMOTE] for step in plan.steps)
    return len(runs) > (0 if promotes else 1)


def _sum(plan: Plan, runs: Sequence[Result]) -> list[str]:
    writes = [it["writes"] for it in runs]
    seeds = {it["seed"] for it in runs}
    unsure = [it for it in runs if it["verdict"] == "inconclusive"]
    cells = [_lost(writes), *(_counted(writes, word) for word in ("duplicated", "unexpected", "unknown"))]
    return [plan.name, str(len(runs)), str(len(seeds)), _counted(writes, "acknowledged"), *cells, str(len(unsure))]


def _lost(writes: Sequence[Writes]) -> str:
    """Where nothing was acknowledged, nothing can be lost."""
    risked = [it for it in writes if it["acknowledged"]]
    known = [it for it in risked if it["lost"] is not None]
    return _counted(risked, "lost") + short(share_below(sum(it["lost"] > 0 for it in known), len(known)))


def _counted(writes: Sequence[Writes], word: str) -> str:
    """A sum, and in how many runs nobody could tell."""
    known = [it[word] for it in writes if it[word] is not None]
    blind = len(writes) - len(known)
    if blind and not known:
        return "?"
    return f"{sum(known)}{f' and {blind} x ?' if blind else ''}"
