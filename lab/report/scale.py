"""The results of experiment.scale as rows and texts."""

from collections.abc import Mapping, Sequence
from typing import Any

from lab.analysis.scale import SETTLE_S, most_per_s
from lab.plan.scale import STEP_S
from lab.report.grid import NONE

COLUMNS = ("servers", "sent per second", "answered per second", "not answered, of n", "p95 of the answered")
HOW_TO_READ = (
    "Only reads are sent, at a planned rate, whether or not earlier ones were answered. "
    f"Each step lasts {STEP_S:.0f} s, and its first {SETTLE_S:.0f} s do not count. "
    "PHP on each server is limited to a number of pages a second, one after another, so that the processors of the "
    "hosting machine are not the limit: the heights say nothing about a real server, the shapes do. "
    "not answered: refused by the balancer, or failed; n are the reads of the step. "
    "p95: of 100 answered reads 95 took no longer, from when they were due; refused ones are not in it. "
    "One run for each number of servers."
)
Results = Sequence[Mapping[str, Any]]


def words(result: Mapping[str, Any]) -> str:
    """1 server, 2 servers."""
    count = len(result["servers"])
    return f"{count} server{'s' if count > 1 else ''}"


def rows(results: Results) -> list[tuple[str, ...]]:
    """A row for each step of each result."""
    return [_row(it, step) for it in results for step in it["steps"]]


def _row(result: Mapping[str, Any], step: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        words(result),
        f"{step['sent_per_s']:g}",
        f"{step['answered_per_s']:.1f}",
        f"{step['due'] - step['answered']} of {step['due']}",
        NONE if step["p95_s"] is None else f"{1000 * step['p95_s']:.0f} ms",
    )


def summary(results: Results) -> list[str]:
    """What each number of servers answered at most, as a multiple of one server if that was measured."""
    one = next((most_per_s(it["steps"]) for it in results if len(it["servers"]) == 1), 0.0)
    return [_most(it, one) for it in results]


def _most(result: Mapping[str, Any], one: float) -> str:
    most, count = most_per_s(result["steps"]), len(result["servers"])
    times = f", {most / one:.2f} times one server" if one and count > 1 else ""
    note = f" ({result['note']})" if result["note"] else ""
    return f"{words(result)}: at most {most:.1f} answers a second{times}; the limit is {_limit(result):g}{note}"


def _limit(result: Mapping[str, Any]) -> float:
    return float(result["pages_per_s"] * len(result["servers"]))


def made(results: Results) -> str:
    """When, where and by which code the results were measured."""
    dates = sorted(it["date"] for it in results)
    hosts = {f"{it['host'].get('cpus', '?')} processors, {it['host'].get('accelerator', '?')}" for it in results}
    limits = {f"{it['pages_per_s']} pages a second on each server, {it['algorithm']}" for it in results}
    minutes = sum(it["took_s"] for it in results) / 60
    when = f"Measured {dates[0]} to {dates[-1]} (UTC) in {minutes:.0f} minutes: {'; '.join(sorted(limits))}"
    return f"{when}. Host: {'; '.join(sorted(hosts))}. Commit: {', '.join(sorted({it['commit'] for it in results}))}."


def as_data(results: Results) -> dict[str, Any]:
    """The results for scripts, by number of servers."""
    keys = ("servers", "pages_per_s", "steps", "note", "run")
    return {"results": [{**{key: it[key] for key in keys}, "most_per_s": most_per_s(it["steps"])} for it in results]}
