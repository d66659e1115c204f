"""The rising load: which servers are used, and that the others come back."""

import pytest

from lab import topology
from lab.errors import BadInput
from lab.experiment.scale import AROUND_S
from lab.plan.scale import WARM_UP_S, Ramp, plan, ramps
from lab.state.choices import Choices
from lab.topology import ROOT, Lab

THREE, FOUR = (topology.load(ROOT / "docs" / "topologies" / f"{it}.yml") for it in ("three", "four"))


@pytest.mark.parametrize(("lab", "most"), [(THREE, 2), (FOUR, 3)], ids=["three machines", "four machines"])
def test_each_number_of_servers_has_a_ramp(lab: Lab, most: int) -> None:
    """Up to all of them; the others are drained."""
    found = ramps(lab, "", 6)
    names = [node.name for node in lab.having("web")]
    assert [len(it.used) for it in found] == list(range(1, most + 1))
    assert all([*it.used, *it.drained] == names for it in found)
    assert [it.name for it in ramps(lab, "2,1,2", 6)] == ["scale-1", "scale-2"]


def test_every_mistake_is_named() -> None:
    """With what a third web server needs."""
    with pytest.raises(BadInput) as caught:
        ramps(THREE, "0,3,x", 1)
    text = str(caught.value)
    assert all(it in text for it in ("--servers 0", "--servers 3", "--servers x", "--pages-per-s 1"))
    assert "four.yml" in text


@pytest.mark.parametrize("ramp", ramps(FOUR, "", 6), ids=lambda it: it.name)
def test_a_ramp_is_an_experiment_that_leaves_nothing_drained(ramp: Ramp) -> None:
    """The servers are drained and limited before the load rises, and serve again after it."""
    made = plan(ramp, FOUR, Choices(algorithm="leastconn"))
    before = [it for it in made.steps if it.at < ramp.begins_s]
    after = [it for it in made.steps if it.at >= ramp.ends_s]
    assert [it.command for it in before if it.command] == [f"lb.drain {it}" for it in ramp.drained]
    assert [it.command for it in after] == [f"lb.ready {it}" for it in ramp.drained]
    assert {it.node for it in made.faults} == set(ramp.used) and len(before) + len(after) == len(made.steps)
    assert {it.options["pages_per_s"] for it in made.faults} == {6}
    assert (made.load.write_share, made.algorithm, made.mode) == (0, "leastconn", "active-active")


def test_the_load_rises_to_one_and_a_half_times_the_limit() -> None:
    """With a step at the limit."""
    ramp = ramps(FOUR, "3", 8)[0]
    rates = [it.rate for it in plan(ramp, FOUR, Choices()).load.rates]
    assert rates[:-1] == sorted(rates[:-1]) and 24 in rates and max(rates) == 36


def test_three_servers_take_less_than_ten_minutes() -> None:
    """The load of all runs, and what is guessed around each."""
    assert sum(WARM_UP_S + plan(it, FOUR, Choices()).measure_s + AROUND_S for it in ramps(FOUR, "", 6)) < 600
