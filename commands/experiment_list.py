"""The experiments by lesson, and the checks by meaning: what `invoke experiment.list` and `.checks` print.

Outside `lab/`, because a result of the matrix does not depend on how experiments are listed.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from textwrap import wrap
from typing import Any

from lab import yaml_file
from lab.errors import BadInput, did_you_mean
from lab.plan.experiment_file import EXPERIMENTS, Plan
from lab.report.check_meanings import Explained

WIDTH = 80
LESSONS: Mapping[str, str] = {  # by folder of experiments/
    "web": "A web server fails",
    "balancer": "The balancer fails",
    "databases": "A database fails or falls behind",
    "failover": "The primary is lost, and the replica takes over",
    "crowd": "More visitors than the site can serve",
    "controls": "Nothing breaks, or a protection is missing",
}
OWN = "own"
TITLES = {**LESSONS, OWN: "Your own"}
FIRST = ("control", "web2-nginx-kill", "control-without-retries", "web2-power-off", "web1-power-off-promote")
HOW_TO_SEE = """\
invoke experiment.list --lesson web     the experiments of a lesson
invoke experiment.list --all            all of them"""
NEXT = """\
Minutes: about, everything included, on a machine that emulates its processors.
invoke experiment.run NAME     run one, then open runs/latest/report.html
invoke experiment.checks       what the checks in the report mean"""
LIMITS = """\
An experiment's file has: `- {check: failed-gets, at_most: 0}`. A limit is
at_most, at_least or equals; `reported: true` shows the value, no more."""
AROUND_S = 90  # before and after the load, on emulated processors
# Medians of docs/matrix.jsonl, rounded up, where servers have to start again or the load goes on for long.
MINUTES: Mapping[str, int] = {
    "acknowledged-means-confirmed": 9,
    "control-without-confirmation": 8,
    "torn-by-a-cut": 7,
    "torn-by-a-power-off": 6,
    "torn-by-a-stopped-receiver": 7,
    "web1-mysql-stop-replica-cut-off": 8,
    "web1-mysql-stop-replica-frozen": 6,
    "web1-mysql-stop-replica-off": 6,
    "web1-power-button-replica-cut-off": 5,
    "web1-power-button-replica-frozen": 5,
    "web1-power-button-replica-off": 14,
    "web1-power-button-replication-stopped": 6,
    "web1-shutdown-replica-cut-off": 7,
    "web1-shutdown-replica-frozen": 6,
    "web1-shutdown-replica-off": 13,
    "web1-shutdown-replication-stopped": 6,
}


def minutes(plan: Plan) -> int:
    """About how long it takes on a machine that emulates its processors."""
    return MINUTES.get(plan.name, ceil((plan.warm_up_s + plan.measure_s + AROUND_S) / 60))


def by_lesson(plans: Sequence[Plan]) -> dict[str, list[Plan]]:
    """The experiments by the folder that each lies in, in the order of the lessons; those of a user come last."""
    folders = {path.stem: path.parent.name for path in yaml_file.files(EXPERIMENTS)}
    lessons: dict[str, list[Plan]] = {folder: [] for folder in (*LESSONS, OWN)}
    for plan in plans:
        folder = folders.get(plan.name, OWN)
        lessons[folder if folder in LESSONS else OWN].append(plan)
    return {folder: found for folder, found in lessons.items() if found}


def first(plans: Sequence[Plan]) -> list[Plan]:
    """The experiments to begin with, in that order."""
    known = {plan.name: plan for plan in plans}
    return [known[name] for name in FIRST if name in known]


def short(plans: Sequence[Plan], others: Sequence[str] = ()) -> str:
    """The experiments to begin with, then how many each lesson has; `others` need other nodes, so only their number."""
    lessons = {lesson: len(found) for lesson, found in by_lesson(plans).items()}
    rows = [f"  {lesson:<11}{count:>3}  {TITLES[lesson]}" for lesson, count in lessons.items()]
    counts = "\n".join([f"All {len(plans)}, by lesson", *rows])
    return "\n\n".join([*_begin(plans), counts, *_left_out(others), HOW_TO_SEE, NEXT])


def listing(plans: Sequence[Plan], others: Sequence[str] = ()) -> str:
    """Every experiment with its minutes, those to begin with first; of `others` only their number."""
    lessons = [_lesson(*it) for it in by_lesson(plans).items()]
    return "\n\n".join([*_begin(plans), *lessons, *_left_out(others), NEXT])


def one(plans: Sequence[Plan], lesson: str) -> str:
    """The experiments of one lesson; raises BadInput, which names the lessons."""
    return "\n\n".join([_lesson(lesson, _of(plans, lesson)), NEXT])


def data(plans: Sequence[Plan], lesson: str = "") -> list[dict[str, Any]]:
    """All experiments, or those of one lesson, for scripts."""
    lessons = {lesson: _of(plans, lesson)} if lesson else by_lesson(plans)
    return [
        {"name": it.name, "lesson": name, "minutes": minutes(it), "title": it.title, "question": it.question}
        for name, found in lessons.items()
        for it in found
    ]


def _of(plans: Sequence[Plan], lesson: str) -> list[Plan]:
    lessons = by_lesson(plans)
    if lesson not in lessons:
        what = f"there is no lesson {lesson!r}; {did_you_mean(lesson, lessons)}"
        raise BadInput(what, hint="invoke experiment.list")
    return lessons[lesson]


def _begin(plans: Sequence[Plan]) -> list[str]:
    start = first(plans)
    return [_section(f"Begin with these {len(start)}", start)] if start else []


def _left_out(others: Sequence[str]) -> list[str]:
    return [f"{len(others)} more are for other nodes than those of lab.yml: docs/topologies.md"] if others else []


def _lesson(lesson: str, plans: Sequence[Plan]) -> str:
    return _section(f"{TITLES[lesson]} ({len(plans)})", plans)


def checks(explained: Sequence[Explained]) -> str:
    """Every check: its usual limit, its unit, and what it tells."""
    head = f"{'check':<26}{'usual limit':<18}unit"
    return "\n\n".join([head, *("\n".join(_check(it)) for it in explained), LIMITS])


def _check(it: Explained) -> Iterator[str]:
    yield f"{it.name:<26}{it.limit:<18}{it.unit}"
    yield from wrap(it.text, WIDTH, initial_indent="    ", subsequent_indent="    ")


def _section(title: str, plans: Sequence[Plan]) -> str:
    column = max(len(plan.name) for plan in plans)
    return "\n".join([title, *(line for plan in plans for line in _row(plan, column))])


def _row(plan: Plan, column: int) -> list[str]:
    """Name, minutes and title; a long title goes on below itself."""
    begin = f"  {plan.name:<{column}}  {minutes(plan):>2} min  "
    return wrap(plan.title, WIDTH, initial_indent=begin, subsequent_indent=" " * len(begin))
