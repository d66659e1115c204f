"""docs/matrix.md: the matrix as tables, made of docs/matrix.jsonl alone."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from lab.analysis import matrix_results
from lab.analysis.exposure import share_below
from lab.analysis.matrix_results import Result
from lab.plan.experiment_file import Plan
from lab.report import acknowledged_writes, controls
from lab.report.check_rows import SIGNS
from lab.report.confidence import short
from lab.report.grid import NONE, NOT_RUN, grid

HEAD = """# The matrix: every shipped experiment, its faults injected again and again

Made of [matrix.jsonl](matrix.jsonl) by `invoke experiment.table`; not edited by hand. Every result is in that file,
those that failed too. `invoke experiment.matrix` runs what has no result of the current code yet.

A round injects all faults of the experiment once, after a delay of up to HAProxy's check interval that the seed
draws, so that it comes at any moment between two checks; 0 rounds: run as its file says, or ten quiet minutes where
nothing breaks. Before DOWN: reads that were due after a fault began and before HAProxy took the server out. `< x %`:
none of the n injections had a failed read, so with 95 % confidence fewer than 1 - 0.05^(1/n) of such injections have
one; the reads of one injection share one cause, so more reads prove no more. DOWN after: median and longest time of
all injections, and what the experiment allows. All numbers of this table are those of one result, of whatever code
that was: of the two latest the one that is not old, then the one with more rounds, then the latest.

`old`: judged before 2026-11-29 16:09, by rules that took any page with status 200 for an answered read, and every note
that was there for the right one. Today's rules compare the content.
"""
RULES_SINCE = "2026-11-29 16:09"  # UTC, as `date` of a result: reads are judged by content since then
COLUMNS = (
    "experiment",
    "latest",
    "before",
    "agree",
    "rounds",
    "failed before DOWN",
    "failed in all",
    "DOWN after",
    "writes lost, twice, unexpected",
)
SOURCES = ("experiment", "when (UTC)", "verdict", "commit", "rounds, seed", "host", "versions", "why")


def table(plans: Sequence[Plan], done: Sequence[Result]) -> str:
    """The whole file; each of `plans` is a row."""
    latest = {it.name: matrix_results.of(done, it.name)[:2] for it in plans}
    parts = [
        HEAD,
        f"{_counted(latest, done)}\n",
        grid(COLUMNS, [_came(name, two) for name, two in latest.items()]),
        acknowledged_writes.section(plans, done),
        controls.section(plans, done),
        "## Where the results come from\n",
        grid(SOURCES, [_source(it) for two in latest.values() for it in two]).removesuffix("\n"),
    ]
    return "\n".join(parts) + "\n"


def _counted(latest: dict[str, list[Result]], done: Sequence[Result]) -> str:
    verdicts = Counter(it["verdict"] for it in done)
    run, agree = sum(bool(two) for two in latest.values()), sum(_agree(two) == "yes" for two in latest.values())
    words = ", ".join(f"{count} {word}" for word, count in sorted(verdicts.items())) or "none"
    old = sum(_old(two[0]) for two in latest.values() if two)
    totals = f"{len(latest)} rows, {run} with a result ({old} old), {agree} whose two latest agree. Results: {words}."
    unsure, broken = verdicts["inconclusive"], verdicts["error"]
    return f"{totals}\n{unsure} of {len(done)} results ended inconclusive, {broken} with an error."


def _came(name: str, two: Sequence[Result]) -> list[str]:
    if not two:
        return [name, NOT_RUN, *[NONE] * (len(COLUMNS) - 2)]
    verdicts = [_verdict(it) for it in two] + [NONE] * (2 - len(two))
    shown = max(two, key=lambda it: ("reads" in it, not _old(it), it["rounds"]))
    return [name, *verdicts, _agree(two), str(shown["rounds"]), *_numbers(shown)]


def _verdict(result: Result) -> str:
    return f"{SIGNS[result['verdict']]} {result['verdict']}{', old' if _old(result) else ''}"


def _old(result: Result) -> bool:
    """Whether rules that said less decided it."""
    return str(result["date"]) < RULES_SINCE


def _agree(two: Sequence[Result]) -> str:
    if len(two) < 2:
        return NONE
    return "yes" if two[0]["verdict"] == two[1]["verdict"] else "**no**"


def _numbers(result: Result) -> Iterator[str]:
    if "reads" not in result:
        yield from [NONE] * 4
        return
    yield _share(result, "window")
    yield _share(result, "whole")
    yield _down(result["detection"])
    counts = (result["writes"][word] for word in ("lost", "duplicated", "unexpected"))
    yield ", ".join("?" if it is None else str(it) for it in counts)


def _share(result: Result, part: str) -> str:
    counted = result["reads"][part]
    if not counted["requests"]:
        return NONE
    return f"{counted['failed']} of {counted['requests']}{short(_proved(result, counted))}"


def _proved(result: Result, counted: dict[str, Any]) -> float | None:
    """A result from before injections were counted had one a round; a story had one at least, or no fault."""
    if "injections" in counted:
        return float(counted["share_below"]) if counted["share_below"] is not None else None
    return share_below(counted["failed"], result["rounds"] or min(1, result["detection"]["injections"]))


def _down(found: dict[str, Any]) -> str:
    if not found["seen"]:
        return NONE
    allowed = "" if found["allowed_s"] is None else f" (at most {found['allowed_s']:g})"
    missed = f"; not seen {found['missed']} times" if found["missed"] else ""
    return f"{found['median_s']:.2f}, {found['max_s']:.2f} s{allowed}{missed}"


def _source(result: Result) -> list[str]:
    host = f"{result['host'].get('cpus', '?')} cpus, {result['host'].get('accelerator', '?')}"
    versions = ", ".join(f"{name} {version}" for name, version in result.get("versions", {}).items())
    how = f"{result['rounds']}, {result['seed']}"
    why = "; ".join(result["why"])
    return [
        result["name"],
        result["date"],
        _verdict(result),
        result["commit"],
        how,
        host,
        versions or NONE,
        why or NONE,
    ]
