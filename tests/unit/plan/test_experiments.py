"""The shipped experiments: each can be run, is named by what it breaks, and together they break everything."""

from collections import Counter
from dataclasses import replace

import pytest

from lab import topology
from lab.faults.kinds import KINDS, SERVICES
from lab.faults.protections import PROTECTIONS
from lab.plan import experiment_file
from lab.plan.experiment_file import Plan
from tests.support.stories import (
    accepts_loss,
    all_databases_off,
    loses_replica,
    may_lose,
    orderly,
    promotes,
    shipped,
    stops_primary,
)

LAB = topology.load()
PLANS = shipped(LAB)
LONGEST_S = 90
EVERYWHERE = {"lost-writes", "duplicated-writes", "unexpected-writes", "two-writable"}


def bounds(it: Plan) -> dict[str, tuple[str, float | bool]]:
    """What an experiment expects, by check."""
    return {e.check: (e.bound, e.value) for e in it.expect}


def named(name: str) -> Plan:
    """One of them."""
    return next(it for it in PLANS if it.name == name)


def protected() -> list[Plan]:
    """Those that run with every protection."""
    return [it for it in PLANS if not it.without]


def of_one_web_server() -> list[Plan]:
    """Those of them with one fault, on a web server, and nobody who does anything about it."""
    web = {node.name for node in LAB.having("web")}
    single = [it for it in protected() if len(it.faults) == 1 and not promotes(it)]
    return [it for it in single if it.faults[0].node in web]


def controls() -> list[Plan]:
    """The negative controls: each lacks a protection, and its first expectation is the trouble that it must find."""
    return [it for it in PLANS if it.without and it.name.startswith("control-")]


def mirror_of(control: Plan) -> Plan:
    """The experiment that begins as the control does and has every protection."""
    like = {it.name: replace(control, steps=control.steps[: len(it.steps)]) for it in protected() if it.faults}
    (mirror,) = [it for it in protected() if it.name in like and story(it) == story(like[it.name])]
    return mirror


def expected_of(it: Plan) -> dict[str, tuple[str, float | bool]]:
    """What is allowed of writes that are lost, doubled or invented, and of two that take them."""
    expected = {**dict.fromkeys(EVERYWHERE, ("at_most", 0)), "lost-writes": may_lose(it)}
    if it in controls():
        if it.expect[0].check == "two-writable":
            expected["lost-writes"] = ("reported", True)
        if it.expect[0].check in EVERYWHERE:
            expected[it.expect[0].check] = ("at_least", 1)
    return expected


def story(it: Plan) -> tuple[object, ...]:
    """What is done to the lab, and how it is set; all but its protections."""
    return it.load, it.steps, it.durability, it.algorithm, it.mode, it.warm_up_s, it.measure_s, it.seed


def test_they_are_listed_by_name() -> None:
    """The names are those of files; beside them there may be those of a user."""
    names = [it.name for it in PLANS]
    assert names == sorted(names)
    assert {f"{name}.yml" for name in names} <= {path.name for path in experiment_file.EXPERIMENTS.rglob("*.yml")}


def test_a_single_fault_is_named_by_its_node() -> None:
    """`<node>-<fault>`: others script against that. A promotion may be named by its story, or by both faults."""
    nodes = tuple(f"{node.name}-" for node in LAB.nodes)
    single = [it for it in protected() if len(it.faults) == 1 and not promotes(it)]
    assert [it.name for it in single if not it.name.startswith(f"{it.faults[0].node}-")] == []
    several = [it for it in PLANS if len(it.faults) != 1 and it.name.startswith(nodes)]
    assert [it.name for it in several if not orderly(it)] == []


def test_no_two_ask_the_same() -> None:
    """A title says which one it is, a question what there is to learn."""
    for words in ([it.title for it in PLANS], [it.question for it in PLANS]):
        assert [word for word, times in Counter(words).items() if times > 1] == []
    assert [it.name for it in PLANS if not it.question.endswith("?")] == []


def test_each_is_over_soon() -> None:
    """A class waits for it."""
    longer = [it for it in PLANS if it.warm_up_s + it.measure_s > LONGEST_S]
    assert [it.name for it in longer if not (it.load.rates or stops_primary(it) or all_databases_off(it))] == []


def test_each_shows_the_way_back_too() -> None:
    """What is injected is healed while the load still runs."""
    assert [it.name for it in PLANS if it.unhealed] == []


def test_every_kind_of_fault_has_an_experiment() -> None:
    """None is only for the hand."""
    assert {fault.kind for it in PLANS for fault in it.faults} == set(KINDS)


@pytest.mark.parametrize("kind", ["service-kill", "service-freeze"])
def test_every_service_dies_and_freezes_on_every_server(kind: str) -> None:
    """HAProxy and dnsmasq have one node only: experiment.spof kills them there."""
    broken = {(fault.node, fault.service) for it in PLANS for fault in it.faults if fault.kind == kind}
    wanted = {
        (node.name, it) for it, role in SERVICES.items() for node in LAB.having(role) if role in ("web", "database")
    }
    assert wanted <= broken


def test_every_node_is_switched_off() -> None:
    """One at a time."""
    assert {f"{node.name}-power-off" for node in LAB.nodes} <= {it.name for it in PLANS}


def test_what_lacks_a_protection_is_a_control_or_says_what_is_left() -> None:
    """Nothing else may run without one, and each is missed by a control."""
    assert [it.name for it in PLANS if it.without and it not in controls()] == ["unique-key-holds"]
    assert {name for it in controls() for name in it.without} == set(PROTECTIONS)


@pytest.mark.parametrize("it", controls(), ids=lambda it: it.name)
def test_a_control_must_find_what_its_mirror_must_not(it: Plan) -> None:
    """The same load and the same faults: only the protections differ, and with them what is allowed."""
    mirror, check = mirror_of(it), it.expect[0].check
    goes_on = check == "two-writable"  # somebody has to close one of two primaries
    assert (len(it.steps) > len(mirror.steps)) == goes_on
    assert bounds(it)[check] == ("at_least", 1)
    assert bounds(mirror)[check] == ("at_most", 0)


def test_one_protection_of_two_keeps_notes_from_being_twice() -> None:
    """Writes are sent again, as in the control, but the table has its key."""
    held, control = named("unique-key-holds"), named("control-resent-writes")
    assert story(held) == story(control)
    assert set(control.without) - set(held.without) == {"unique-key"}
    assert bounds(held)["duplicated-writes"] == ("at_most", 0)


@pytest.mark.parametrize("it", PLANS, ids=lambda it: it.name)
def test_every_run_ends_equal_with_one_primary(it: Plan) -> None:
    """Whatever is taken away; what is less safe than durable, may lose a write or has two primaries, says so."""
    named_for = next((word for word in ("async", "available") if word in it.name.split("-")), "durable")
    crowd_goes_on = it.load.rates and "power-off" in {fault.kind for fault in it.faults}  # durable, it would wait
    assert it.durability == ("available" if crowd_goes_on else named_for)
    assert bounds(it)["two-writable"] == expected_of(it)["two-writable"]
    assert bounds(it)["lost-writes"] == expected_of(it)["lost-writes"]
    assert bounds(it)["gtid-equal"] == ("equals", True)
    assert bounds(it)["arrival-rate"] == ("at_least", 0.98)


@pytest.mark.parametrize("it", protected(), ids=lambda it: it.name)
def test_no_fault_may_cost_an_acknowledged_write(it: Plan) -> None:
    """Nothing is lost, doubled or invented."""
    assert {check: bounds(it).get(check) for check in EVERYWHERE} == expected_of(it)


@pytest.mark.parametrize("it", [it for it in PLANS if promotes(it) and len(it.faults) < 2], ids=lambda it: it.name)
def test_a_promotion_costs_no_reader_anything(it: Plan) -> None:
    """Whoever is fenced for it was one of two that serve pages; the switch that nobody was forced to make is short."""
    assert bounds(it)["failed-gets"] == ("at_most", 0)
    if it.name == "planned-switch":
        assert bounds(it)["write-outage"] == ("at_most", 3)


@pytest.mark.parametrize("kind", ["power-off", "crash", "freeze", "partition", "mysql-kill"])
def test_with_a_promotion_nobody_waits_longer_than_three_times_what_haproxy_needs_to_notice(kind: str) -> None:
    """A full disk is not noticed by HAProxy at all, for reads go on."""
    it = named(f"web1-{kind}-promote")
    assert bounds(it)["write-outage"] == ("at_most", 3 * detected_within(it) / 1.5)


def test_every_way_a_primary_fails_is_tried_with_a_promotion() -> None:
    """Whatever it is, the survivor opens."""
    single = [it for it in PLANS if promotes(it) and len(it.faults) == 1]
    failing = {it.faults[0].kind for it in single if it.faults[0].node == "web1"}
    assert failing == {"power-off", "service-kill", "crash", "freeze", "partition", "disk-full"}


@pytest.mark.parametrize("it", of_one_web_server(), ids=lambda it: it.name)
def test_one_fault_of_a_web_server_costs_no_reader_anything(it: Plan) -> None:
    """No read fails, no other server is taken out; how long writes stop is shown, and that they do where they must."""
    assert bounds(it)["failed-gets"] == bounds(it)["false-downs"] == ("at_most", 0)
    assert it.load.rate == 6
    bound, _ = bounds(it)["write-outage"]
    assert bound == ("at_most" if it.durability == "available" else "at_least" if loses_replica(it) else "reported")


@pytest.mark.parametrize(
    "it",
    [it for it in protected() if it.durability == "durable" and loses_replica(it) and not accepts_loss(it)],
    ids=lambda it: it.name,
)
def test_writes_stop_while_nobody_confirms_them(it: Plan) -> None:
    """For longer than semi-sync would wait in available mode, and than any write takes."""
    assert bounds(it)["write-outage"] == ("at_least", 5)


def detected_within(it: Plan) -> float:
    """One and a half times what HAProxy needs at most: 1 s to the first check, 0.5 s to the second, and 1.5 s more
    for each of them where nobody refuses it."""
    silent = {"power-off", "crash", "freeze", "partition", "service-freeze"}
    return 1.5 * (4.5 if it.faults[0].kind in silent else 3.0)


def test_a_server_that_is_gone_is_detected_in_time() -> None:
    """Some faults no check can see, or not surely; all others are bounded."""
    unbounded = {
        it.name for it in of_one_web_server() if bounds(it).get("detected") != ("at_most", detected_within(it))
    }
    assert unbounded == {
        "web1-mysql-kill-restarts",
        "web2-clock-skew",
        "web2-cpu-hog",
        "web2-disk-full",
        "web2-lossy",
        "web2-memory-hog",
        "web2-mysql-kill-restarts",
        "web2-partition-web1",
        "web2-reboot",
        "web2-replica-lost",
        "web2-replication-lag",
        "web2-slow",
    }


@pytest.mark.parametrize("name", ["lb1-power-off", "two-faults", "replica-then-primary"])
def test_an_outage_that_must_come_is_expected_honestly(name: str) -> None:
    """Without a failed read the fault was none."""
    assert bounds(named(name))["failed-gets"] == ("at_least", 1)
    assert bounds(named(name))["longest-outage"] == ("reported", True)
