"""What failed while a component was dead, from timelines by hand."""

import pytest

from lab.analysis import spof
from lab.analysis.history import History
from lab.analysis.spof import SINGLE, SOME, SURVIVED, UNKNOWN
from lab.analysis.timeline import Entry
from lab.errors import InfrastructureBroken
from tests.support.spof_stories import lookups, story
from tests.support.timelines import T0, changed, kind, lab

NOBODY_SAW = 99.0
FAULT = {"id": "web1-php-fpm-service-kill", "kind": "service-kill", "node": "web1", "peer": ""}


def power(at: float, state: str) -> Entry:
    """A look at the power of web1."""
    return Entry(T0 + at, "node", "state", {"node": "web1", "power": state})


def of_a_fault(entry: Entry) -> bool:
    """Whether it is a step of a fault."""
    return "fault" in entry.data


def measured(entries: list[Entry], names: tuple[float, float] = (0, 0)) -> dict[str, object]:
    """The measurement of a run and of its lookups."""
    return spof.measure(History(entries), lookups(names))


def test_what_another_server_takes_over_survives() -> None:
    """Reads fail until HAProxy notices, and none in the end: no single point of failure."""
    it = measured(story(reads=(5, 8)))
    assert it["reads"] == {"first": [3, 3], "middle": [0, 7], "end": [0, 10]}
    assert (it["noticed_s"], it["dead_s"], it["primary"], spof.verdict(it)) == (3.0, 20.0, "web1", SURVIVED)


def test_what_still_fails_in_the_end_is_a_single_point_of_failure() -> None:
    """Each part is judged by itself."""
    it = measured(story(writes=(5, 34)))
    assert [spof.fails(it, what) for what in spof.WHAT] == [False, True, False]
    assert it["writes"]["end"] == [10, 10]  # type: ignore[index]
    assert spof.verdict(it) == SINGLE


@pytest.mark.parametrize("reads", [(5, 10), (21, 25)], ids=["after it was noticed", "in the end"])
def test_what_fails_now_and_then_has_not_survived(reads: tuple[float, float]) -> None:
    """Fewer than half fail in the end, so it is no single point of failure, and something fails."""
    it = measured(story(reads=reads))
    assert spof.fails(it, "reads") is False and spof.some_fail(it, "reads")
    assert spof.verdict(it) == SOME


def test_a_dead_name_server_shows_in_lookups_alone() -> None:
    """Nothing in the lab notices it, and all requests go on: they need no name."""
    it = measured(story(node="lb1", down=NOBODY_SAW), names=(5, 25))
    assert it["noticed_s"] is None
    assert it["names"] == {"first": [10, 10], "middle": [0, 0], "end": [10, 10]} and spof.verdict(it) == SINGLE


def test_recovery_lasts_until_everything_is_answered_and_every_server_serves() -> None:
    """The last of all: here writes, then HAProxy's server, then lookups."""
    assert measured(story(writes=(5, 34)))["recovered_s"] == 9.5
    assert measured(story())["recovered_s"] == 5.0
    assert measured(story(), names=(5, 36))["recovered_s"] == 11.1


def test_a_recovery_that_was_not_seen_is_not_claimed() -> None:
    """Writes fail until the end of the run."""
    assert measured(story(writes=(5, 99)))["recovered_s"] is None


def test_too_few_requests_prove_nothing() -> None:
    """A run without writes in the end says nothing about writes."""
    entries = [it for it in story() if not (it.kind == "request" and it.data["method"] == "POST")]
    it = measured(entries)
    assert spof.fails(it, "writes") is None and spof.verdict(it) == UNKNOWN


@pytest.mark.parametrize(
    "entries",
    [
        [*story(), lab(9, "broken", why="the load died")],
        changed(story(), kind("end"), complete=False, why="interrupted"),
        [it for it in story() if it.kind != "end"],
        [it for it in story() if it.kind not in ("inject", "injected", "heal", "healed")],
    ],
    ids=["broken", "interrupted", "killed", "without a fault"],
)
def test_an_incomplete_run_is_no_measurement(entries: list[Entry]) -> None:
    """It says why."""
    with pytest.raises(InfrastructureBroken) as caught:
        measured(entries)
    assert caught.value.evidence


@pytest.mark.parametrize(
    ("looks", "works"),
    [
        ([power(3, "running"), power(12, "off"), power(26, "running")], False),
        ([power(5.8, "running"), power(12, "off")], False),
        ([power(12, "off"), power(18, "running")], True),
    ],
    ids=["before and afterwards", "a look under way", "switched on by hand"],
)
def test_a_machine_that_ran_meanwhile_is_no_measurement(looks: list[Entry], works: bool) -> None:
    """Somebody healed the fault: what survived then is the living component."""
    if not works:
        assert measured([*story(), *looks])
        return
    with pytest.raises(InfrastructureBroken) as caught:
        measured([*story(), *looks])
    assert "12.5 s after" in caught.value.evidence


@pytest.mark.parametrize(("unit", "works"), [("php8.4-fpm", True), ("nginx", False)])
def test_a_service_that_ran_meanwhile_is_no_measurement(unit: str, works: bool) -> None:
    """The unit of the service decides, whatever its version; another service on the node may run."""
    entries = changed(story(), of_a_fault, fault={**FAULT, "service": "php-fpm"})
    entries.append(Entry(T0 + 18, "service", "services", {"node": "web1", "services": {unit: "active"}}))
    if not works:
        assert measured(entries)
        return
    with pytest.raises(InfrastructureBroken):
        measured(entries)


def test_a_dead_time_without_room_for_noticing_is_no_measurement() -> None:
    """A busy machine injects late, and the repair is due at its time."""
    late = [Entry(T0 + 10.5, it.observer, it.kind, it.data) if it.kind == "injected" else it for it in story()]
    with pytest.raises(InfrastructureBroken) as caught:
        measured(late)
    assert "14.5 s" in caught.value.evidence and "again" in caught.value.hint
