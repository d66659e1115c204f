"""The balancer's reactions, and which DOWN is explained by which fault."""

import pytest

from lab.analysis.checks.catalogue import find
from lab.analysis.history import History
from lab.analysis.timeline import Entry
from tests.support.timelines import T0, changed, kind, lab, of, quiet, request, servers, spell, switched_off, without


def test_detection_is_told_for_each_fault() -> None:
    """The value is the longest one."""
    web2 = [*spell([20, 20.5, 24, 25], "web2", "service-stop"), *(servers(20.6 + i / 4, web2="DOWN") for i in range(9))]
    entries = [*without(switched_off(), of("balancer", 20.6, 24)), *web2]
    finding = find(History(entries), "detected")
    assert (finding.value, finding.enough) == (3.0, True)
    assert finding.detail == "web1 power-off: 3.00 s; web2 service-stop: 0.60 s"


@pytest.mark.parametrize("status", ["DOWN", "DOWN 1/2", "MAINT", "DRAIN"])
def test_detection_is_the_first_look_that_does_not_say_up(status: str) -> None:
    """Whatever HAProxy reports instead."""
    entries = changed(switched_off(), of("balancer", 7, 7.2), servers=servers(7, status).data["servers"])
    assert find(History(entries), "detected").value == 2.0


def test_a_server_that_has_missed_one_check_is_still_up() -> None:
    """'UP 1/2' gets requests."""
    entries = changed(switched_off(), of("balancer", 7, 7.2), servers=servers(7, "UP 1/2").data["servers"])
    assert find(History(entries), "detected").value == 3.0


def test_what_was_never_noticed_took_as_long_as_somebody_looked() -> None:
    """Too long for a shorter bound; no proof for a longer one."""
    finding = find(History([*quiet(), *spell([5, 5.5])]), "detected")
    assert (finding.value, finding.enough) == (14.75, False)


def test_a_later_fall_is_no_detection() -> None:
    """A fault that ended unnoticed is not detected by a DOWN long after it."""
    finding = find(History([*quiet(30, down=(20, 25)), *spell([5, 5.5, 6, 7])]), "detected")
    assert (finding.value, finding.enough) == (6.5, False)


def test_a_partition_between_balancer_and_server_takes_the_server() -> None:
    """Whichever end is named first."""
    cut = [*quiet(30, down=(8, 18)), *spell([5, 5.5, 12, 16], "lb1", "partition", "web1")]
    assert find(History(cut), "detected").value == 3.0


def test_faults_that_no_check_can_notice_do_not_count() -> None:
    """A replica that lags answers its checks."""
    entries = switched_off(*spell([6, 6.5, 20, 21], "web2", "replication-stop"))
    assert find(History(entries), "detected").enough


def test_a_dead_name_server_explains_no_down() -> None:
    """HAProxy on the same node goes on; a dead HAProxy explains it."""
    for service, unexplained in (("dnsmasq", 1), ("haproxy", 0)):
        words = {"id": "x", "kind": "service-kill", "node": "lb1", "service": service, "peer": ""}
        steps = [lab(at, step, fault=words) for step, at in (("inject", 5), ("injected", 5.5), ("heal", 12))]
        assert find(History([*quiet(30, down=(8, 18)), *steps]), "false-downs").value == unexplained


def test_recovery_waits_for_answers_of_the_server() -> None:
    """UP is HAProxy's opinion; an answer is a fact."""
    served = switched_off(request(19, served_by="web1"))
    late = changed(served, lambda it: it.data.get("served_by") == "web1" and it.at < T0 + 19, served_by="web2")
    assert find(History(late), "recovered").value == 7.02
    never = changed(served, kind("request"), served_by="web2")
    assert find(History(never), "recovered").detail.endswith("it was UP, but served no recorded answer after that")


def test_a_passive_server_has_recovered_when_it_is_up() -> None:
    """It has nothing to serve."""
    passive = [*quiet(30, mode="active-passive"), *spell([5, 5.5, 12, 16], "web2", "slow")]
    finding = find(History(changed(passive, kind("request"), served_by="web1")), "recovered")
    assert (finding.value, finding.enough) == (0.0, True)


def test_recovery_is_counted_from_the_last_fall_of_a_fault() -> None:
    """A short freeze is noticed when it is over: an UP before that does not make it harmless."""
    entries = [*quiet(30, down=(7, 9)), *spell([5, 5.5, 6, 6.1], kind="freeze")]
    assert find(History(entries), "recovered").value == pytest.approx(3.02)


@pytest.mark.parametrize(
    ("steps", "missing"),
    [([5, 5.5], "it was never healed"), ([5, 5.5, 12], "HAProxy was not observed to report UP")],
)
def test_recovery_that_was_not_seen_is_not_enough(steps: list[float], missing: str) -> None:
    """It took longer than the observation lasted."""
    finding = find(History([*quiet(30, down=(8, 99)), *spell(steps)]), "recovered")
    assert not finding.enough
    assert missing in finding.detail


HEALED = [5.0, 5.5, 12.0, 16.0]


@pytest.mark.parametrize(
    ("steps", "down", "value"),
    [
        ([], (6, 8), 1),
        (spell(HEALED), (4, 6), 1),  # before the fault
        (spell(HEALED), (8, 18), 0),
        (spell(HEALED), (17, 19), 0),  # a check that began during the fault may still fail
        (spell(HEALED), (20.25, 26), 0),
        (spell(HEALED), (21, 22), 1),  # it was UP long after
        (spell(HEALED[:2]), (25, 30), 0),
        (spell(HEALED, "web2"), (8, 18), 1),
        (spell(HEALED, "lb1", "freeze"), (8, 18), 0),
        (spell(HEALED, "lb1", "partition", "web1"), (8, 18), 0),
        (spell(HEALED, "lb1", "partition", "web2"), (8, 18), 1),
        (spell(HEALED, "web1", "partition", "web2"), (8, 18), 1),  # they do not check each other
        (spell(HEALED, "web1", "partition", "all"), (8, 18), 0),
        (spell(HEALED, "web1", "clock-skew"), (8, 18), 1),
    ],
)
def test_a_down_is_false_if_no_fault_explains_it(steps: list[Entry], down: tuple[float, float], value: int) -> None:
    """A fault explains it from its beginning until the server was UP again and the last check of that time is over."""
    finding = find(History([*quiet(30, down), *steps]), "false-downs")
    assert (finding.value, finding.enough) == (value, True)


def test_a_server_that_was_down_from_the_first_look_on_has_fallen() -> None:
    """When it became DOWN was not observed, but no fault explains it either."""
    finding = find(History(quiet(down=(-2, 3))), "false-downs")
    assert (finding.value, finding.detail) == (1, "web1 at -2.0 s")


def test_every_fall_counts() -> None:
    """And the detail says when it was."""
    again = changed(quiet(down=(6, 8)), of("balancer", 12, 13), servers=servers(12, "DOWN 1/2", "DOWN").data["servers"])
    assert find(History(again), "false-downs").detail == "web1 at +6.0 s; web1 at +12.0 s; web2 at +12.0 s"


def test_a_balancer_that_is_off_can_not_be_seen() -> None:
    """That is no blindness: no server can become DOWN meanwhile. After the next observation the excuse ends."""
    off = [*without(quiet(30), of("balancer", 5, 20)), *spell([5, 5.5, 12, 19], "lb1")]
    assert find(History(off), "false-downs").enough
    assert not find(History(without(off, of("balancer", 21, 27))), "false-downs").enough


def test_a_server_that_is_off_is_no_excuse_for_not_asking_the_balancer() -> None:
    """HAProxy can be asked all the time."""
    assert not find(History(without(switched_off(), of("balancer", 9, 16))), "false-downs").enough


def test_an_eye_is_asked_for_as_long_as_it_looks() -> None:
    """Nodes come back after measuring: a gap then is a gap, a closed observer is none."""
    assert find(History(quiet()), "false-downs").enough
    later = [*quiet(), *(servers(float(at)) for at in (20, 21, 28, 29))]
    assert find(History(later), "false-downs").detail == "the balancer was not observed for 7.0 s from +21.0 s"


def test_tries_are_counted_over_a_restart() -> None:
    """HAProxy counts from zero then; its counts before this run do not matter."""
    counts = [(1, 7, 0), (2, 9, 1), (3, 2, 0), (4, 2, 3)]
    looks = [servers(at, retries=retries, redispatches=others) for at, retries, others in counts]
    finding = find(History(looks), "balancer-retries")
    assert (finding.value, finding.detail) == (8, "4 retries, 4 redispatches")
