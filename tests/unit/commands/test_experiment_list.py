"""invoke experiment.list and experiment.checks: what there is, where to begin, and what it means."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import yaml

from commands import experiment_list
from lab import topology
from lab.analysis.checks.catalogue import CHECKS
from lab.errors import BadInput
from lab.plan import experiment_file
from lab.plan.experiment_file import Plan
from lab.report.check_meanings import MEANINGS, explained
from lab.report.check_rows import NAMES
from lab.topology import ROOT
from tests.support.stories import shipped

LAB = topology.load()
PLANS = shipped(LAB)
MOST_MINUTES, SCREEN = 15, 24
ANY_CHECK = """
title: t
question: q?
load: {rate: 10, rates: [{at: 20, rate: 20}, {at: 40, rate: 10}]}
steps:
  - {at: 5, inject: {kind: freeze, node: web2}}
  - {at: 10, heal: {kind: freeze, node: web2}}
  - {at: 12, command: db.status}
expect:
"""


def test_the_lines_fit_a_narrow_terminal() -> None:
    """Of both commands."""
    texts = [experiment_list.short(PLANS), experiment_list.listing(PLANS), experiment_list.checks(explained())]
    lines = [line for text in texts for line in text.splitlines()]
    assert [line for line in lines if len(line) > experiment_list.WIDTH] == []


@pytest.mark.parametrize("listed", [experiment_list.short, experiment_list.listing])
def test_those_to_begin_with_come_first(listed: Callable[[Sequence[Plan]], str]) -> None:
    """Five, in the order in which they teach, before the lessons."""
    lines = listed(PLANS).splitlines()
    begin = [line.split()[0] for line in lines[1 : lines.index("")] if line[2] != " "]
    assert begin == list(experiment_list.FIRST) and len(begin) == 5


def test_every_experiment_is_in_one_lesson() -> None:
    """The lessons are the folders, and each has a title and something to run."""
    lessons = experiment_list.by_lesson(PLANS)
    folders = {path.name for path in (ROOT / "experiments").iterdir() if path.is_dir()}
    assert set(experiment_list.LESSONS) == set(lessons) <= folders
    assert sorted(it.name for found in lessons.values() for it in found) == sorted(it.name for it in PLANS)


def test_the_short_list_fits_on_a_screen_and_counts_the_rest() -> None:
    """Each lesson with the word that shows it, and the numbers add up."""
    text = experiment_list.short(PLANS)
    counts = [int(text.partition(f"\n  {lesson} ")[2].split()[0]) for lesson in experiment_list.LESSONS]
    assert sum(counts) == len(PLANS) and len(text.splitlines()) <= SCREEN


def test_a_lesson_shows_its_own_experiments_and_no_other() -> None:
    """And its name is that of a folder."""
    text = experiment_list.one(PLANS, "balancer")
    listed = {it.name for it in PLANS if f"  {it.name} " in text}
    assert listed == {it.stem for it in (ROOT / "experiments" / "balancer").glob("*.yml")}


def test_an_unknown_lesson_is_refused_with_what_was_meant() -> None:
    """As every name."""
    with pytest.raises(BadInput, match="did you mean databases"):
        experiment_list.one(PLANS, "database")


def test_scripts_get_every_experiment_with_its_lesson() -> None:
    """Or those of one lesson."""
    found = experiment_list.data(PLANS)
    assert {it["name"]: it["lesson"] for it in found}["lb1-power-off"] == "balancer" and len(found) == len(PLANS)
    assert {it["lesson"] for it in experiment_list.data(PLANS, "crowd")} == {"crowd"}


def test_what_a_user_wrote_comes_last() -> None:
    """Under a title of its own."""
    mine = replace(PLANS[0], name="mine", title="What I wanted to know", warm_up_s=10, measure_s=20)
    lines = experiment_list.listing([mine, *PLANS]).splitlines()
    assert lines[lines.index("Your own (1)") + 1].split() == ["mine", "2", "min", *mine.title.split()]
    assert lines.index("Your own (1)") > max(lines.index(line) for line in lines if "control-" in line)


def test_minutes_are_told_of_what_there_is() -> None:
    """A class has to plan with them."""
    assert set(experiment_list.MINUTES) <= {it.name for it in PLANS}
    assert {experiment_list.minutes(it) for it in PLANS} <= set(range(1, MOST_MINUTES))


def test_every_check_is_explained_and_nothing_else() -> None:
    """In the order of the table that judges."""
    assert [it.name for it in explained()] == list(CHECKS)
    assert set(MEANINGS) == set(NAMES) == set(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_a_usual_limit_may_be_written_in_a_file(name: str) -> None:
    """As it stands there."""
    limit = yaml.safe_load(MEANINGS[name].limit)
    plan = experiment_file.parse("any", f"{ANY_CHECK}  - {{check: {name}, {MEANINGS[name].limit}}}\n", LAB)
    assert {"check": name, **limit} in [it.as_data() for it in plan.expect]
