"""The shipped experiments: each can be run, is named by what it breaks, and together they break everything."""

from collections import Counter
from dataclasses import replace

import pytest

from lab import topology
from lab.faults.kinds import KINDS, SERVICES
from lab.faults.protections import PROTECTIONS
from lab.plan import experiment_file
from lab.plan.experiment_file import Plan
from tests.support.stories import CROWDS, LONG, ORDERLY, TORN, shipped

LAB = topology.load()
PLANS = shipped(LAB)
LONGEST_S = 90
TWO_BOOTS = {"replica-then-primary"} | ORDERLY | LONG  # both servers start again, one after the other
LESS_SAFE = dict.fromkeys(["async-promote", "async-behind-a-cut"], "async") | dict.fromkeys(
    ["web2-power-off-available", "crowd-web2-power-off", "available-behind-a-cut"], "available"
)
LOSES: dict[str, dict[str, tuple[str, float | bool]]] = {
    "async-promote": {"lost-writes": ("reported", True)},
    "async-behind-a-cut": {"lost-writes": ("at_least", 1)},
    "available-behind-a-cut": {"lost-writes": ("at_least", 1)},
    "replica-then-primary": {"lost-writes": ("at_most", 1)},  # what it had received and not applied
    "control-without-relay-log": {"lost-writes": ("at_least", 1)},
    "control-without-fencing": {"lost-writes": ("reported", True), "two-writable": ("at_least", 1)},
    "control-without-confirmation": {"lost-writes": ("at_least", 1)},
}
# Each negative control, the experiment that is the same with every protection, and the check that tells them apart.
MIRRORS = {
    "control-without-retries": ("web2-nginx-kill", "failed-gets"),
    "control-without-redispatch": ("web2-freeze", "failed-gets"),
    "control-resent-writes": ("web2-replica-lost", "duplicated-writes"),
    "control-without-relay-log": ("promote-a-lagging-replica", "lost-writes"),
    "control-without-fencing": ("web1-freeze-promote", "two-writable"),
    "control-without-confirmation": ("acknowledged-means-confirmed", "lost-writes"),
    "control-without-admission": ("crowd", "unanswered"),
}
# The replica is lost, and durable means that no commit returns: a run in which writes went on has not been durable.
WAITS = {f"web2-{it}" for it in ("power-off", "crash", "freeze", "partition", "partition-web1", "replica-lost")}
GOES_ON = {"control-without-fencing"}  # after the story of its mirror: somebody has to close one of two primaries
EVERYWHERE = {"lost-writes", "duplicated-writes", "unexpected-writes", "two-writable"}


def bounds(it: Plan) -> dict[str, tuple[str, float | bool]]:
    """What an experiment expects, by check."""
    return {e.check: (e.bound, e.value) for e in it.expect}


def named(name: str) -> Plan:
    """One of them."""
    return next(it for it in PLANS if it.name == name)


def promotes(it: Plan) -> bool:
    """Whether the roles change in it."""
    return any(step.command.startswith("db.promote ") for step in it.steps)


def protected() -> list[Plan]:
    """Those that run with every protection."""
    return [it for it in PLANS if not it.without]


def of_one_web_server() -> list[Plan]:
    """Those of them with one fault, on a web server, and nobody who does anything about it."""
    web = {node.name for node in LAB.having("web")}
    single = [it for it in protected() if len(it.faults) == 1 and not promotes(it)]
    return [it for it in single if it.faults[0].node in web]


def expected_of(it: Plan) -> dict[str, tuple[str, float | bool]]:
    """What is allowed of writes that are lost, doubled or invented, and of two that take them."""
    return {**dict.fromkeys(EVERYWHERE, ("at_most", 0)), **LOSES.get(it.name, {})}


def story(it: Plan) -> tuple[object, ...]:
    """What is done to the lab, and how it is set; all but its protections."""
    return it.load, it.steps, it.durability, it.algorithm, it.mode, it.warm_up_s, it.measure_s, it.seed


def test_they_are_listed_by_name() -> None:
    """The names are those of files; beside them there may be those of a user."""
    names = [it.name for it in PLANS]
    assert names == sorted(names)
    assert {f"{name}.yml" for name in names} <= {path.name for path in experiment_file.EXPERIMENTS.rglob("*.yml")}


def test_a_single_fault_is_named_by_its_node() -> None:
    """`<node>-<fault>`: others script against that."""
    wrong = {it.name for it in protected() if len(it.faults) == 1 and not it.name.startswith(f"{it.faults[0].node}-")}
    stories = {"async-promote", "old-primary-returns", "old-primary-wakes", "switch-of-a-lagging-replica"}
    assert wrong == stories
    others = {"control", "two-faults", "planned-switch", "replica-then-primary", "rolling-restart"}
    others |= {"async-behind-a-cut", "available-behind-a-cut", "durable-behind-a-cut", "promote-a-lagging-replica"}
    others |= {"control-without-relay-log", "control-without-fencing"} | ORDERLY | TORN | LONG | CROWDS
    assert {it.name for it in PLANS if len(it.faults) != 1} == others


def test_no_two_ask_the_same() -> None:
    """A title says which one it is, a question what there is to learn."""
    for words in ([it.title for it in PLANS], [it.question for it in PLANS]):
        assert [word for word, times in Counter(words).items() if times > 1] == []
    assert [it.name for it in PLANS if not it.question.endswith("?")] == []


def test_each_is_over_soon() -> None:
    """A class waits for it."""
    longer = {it.name for it in PLANS if it.warm_up_s + it.measure_s > LONGEST_S}
    assert longer <= TWO_BOOTS | CROWDS


def test_each_shows_the_way_back_too() -> None:
    """What is injected is healed while the load still runs."""
    assert [it.name for it in PLANS if it.unhealed] == []


def test_every_kind_of_fault_has_an_experiment() -> None:
    """None is only for the hand."""
    assert {fault.kind for it in PLANS for fault in it.faults} == set(KINDS)


@pytest.mark.parametrize("kind", ["service-kill", "service-freeze"])
def test_every_service_dies_and_freezes_on_every_server(kind: str) -> None:
    """HAProxy has one node only, and is killed there."""
    broken = {(fault.node, fault.service) for it in PLANS for fault in it.faults if fault.kind == kind}
    wanted = {(node.name, it) for it, role in SERVICES.items() for node in LAB.having(role) if it != "haproxy"}
    assert wanted <= broken


def test_every_node_is_switched_off() -> None:
    """One at a time."""
    assert {f"{node.name}-power-off" for node in LAB.nodes} <= {it.name for it in PLANS}


def test_what_lacks_a_protection_is_a_control_or_says_what_is_left() -> None:
    """Nothing else may run without one, and each is missed by a control."""
    unprotected = {it.name: it.without for it in PLANS if it.without}
    assert set(unprotected) == {*MIRRORS, "unique-key-holds"}
    assert {name for control in MIRRORS for name in unprotected[control]} == set(PROTECTIONS)


@pytest.mark.parametrize("name", MIRRORS)
def test_a_control_must_find_what_its_mirror_must_not(name: str) -> None:
    """The same load and the same faults: only the protections differ, and with them what is allowed."""
    mirror, check = named(MIRRORS[name][0]), MIRRORS[name][1]
    same = replace(named(name), steps=named(name).steps[: len(mirror.steps)])
    assert story(same) == story(mirror)
    assert (same != named(name)) == (name in GOES_ON)
    assert bounds(named(name))[check] == ("at_least", 1)
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
    assert it.durability == LESS_SAFE.get(it.name, "durable")
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
    assert it.load.rate == 10
    bound, _ = bounds(it)["write-outage"]
    assert bound == ("at_most" if it.durability == "available" else "at_least" if it.name in WAITS else "reported")


@pytest.mark.parametrize("name", sorted(WAITS | {"durable-behind-a-cut"}))
def test_writes_stop_while_nobody_confirms_them(name: str) -> None:
    """For longer than semi-sync would wait in available mode, and than any write takes."""
    assert bounds(named(name))["write-outage"] == ("at_least", 5)


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
