"""Checks of a crowd: the possible rate, the usual rate, and a load that was too busy to be trusted."""

from dataclasses import replace

import pytest

from lab.analysis.checks.catalogue import find
from lab.analysis.history import History
from lab.analysis.timeline import Entry
from tests.support.crowds import LOAD, came_with_it, crowd, slower
from tests.support.timelines import T0, changed, failed, kind, quiet

OF_CROWDS = ("goodput", "answer-time", "refusal-time", "crowd-recovery", "crowd-writes")


def test_what_was_sent_bounds_what_is_possible() -> None:
    """A crowd that is served completely has ratio 1, though another part had more answers."""
    two = {"rate": 20, "rates": [{"at": 5, "rate": 21}, {"at": 10, "rate": 20}]}
    assert find(History(quiet(load=two)), "goodput").value == pytest.approx(20 / 20, abs=0.05)


def test_an_answer_that_comes_too_late_is_no_good() -> None:
    """Visitors wait three seconds."""
    assert find(History(slower(crowd(), came_with_it, 2.9)), "goodput").value == 1
    assert find(History(slower(crowd(), came_with_it, 3.1)), "goodput").value == 0


def test_the_worst_part_of_a_crowd_decides() -> None:
    """Half of it was served, then none."""
    three = {"rate": 20, "rates": [{"at": 5, "rate": 21}, {"at": 8, "rate": 22}, {"at": 10, "rate": 20}]}

    def late(entry: Entry) -> bool:
        return entry.observer == "client" and entry.at >= T0 + 8

    assert find(History(slower(quiet(load=three), late, 3.1)), "goodput").value == 0


def test_parts_with_the_same_rate_count_as_one() -> None:
    """No request was served in the first quarter of a crowd, all others were."""
    four = {
        "rate": 20,
        "rates": [{"at": 5, "rate": 21}, {"at": 10, "rate": 22}, {"at": 15, "rate": 21}, {"at": 20, "rate": 20}],
    }

    def late(entry: Entry) -> bool:
        return entry.observer == "client" and T0 + 5 <= entry.at < T0 + 7.5

    finding = find(History(slower(quiet(load=four), late, 3.1)), "goodput")
    assert finding.value == pytest.approx(0.75, abs=0.06) and finding.detail.count("21/s sent") == 1


def test_the_rates_are_told() -> None:
    """The rates sent and answered in each part."""
    assert find(History(crowd()), "goodput").detail.startswith("20/s sent: 20.0/s answered; 40/s sent: 20.0/s answered")


def test_recovery_is_the_last_request_that_was_not_as_before() -> None:
    """One that was refused three seconds after the crowd."""
    assert find(History([*crowd(), failed(13)]), "crowd-recovery").value == 3
    assert find(History(crowd()), "crowd-recovery").value == 0


def test_a_site_that_is_not_as_before_until_the_end_has_not_recovered() -> None:
    """How long it takes is not known then."""
    assert not find(History([*crowd(), failed(19.99)]), "crowd-recovery").enough


@pytest.mark.parametrize("check", OF_CROWDS)
@pytest.mark.parametrize("cpu", [0.51, None])
def test_a_load_that_was_too_busy_proves_nothing(check: str, cpu: float | None) -> None:
    """It may have been late itself, or have taken processor time from the servers."""
    busy = changed(crowd(), kind("generator"), cpu=cpu, cpu_peak=cpu)
    assert find(History(crowd()), check).enough and not find(History(busy), check).enough


def test_the_arrival_rate_follows_the_rates() -> None:
    """Half of the crowd is not enough."""
    assert find(History(crowd()), "arrival-rate").value == 1
    assert find(History(quiet(load=LOAD)), "arrival-rate").value == pytest.approx(0.8)


def test_rates_after_the_end_are_none() -> None:
    """An interrupted run has only the parts that it reached."""
    late = {**LOAD, "rates": [{"at": 5, "rate": 40}, {"at": 30, "rate": 20}]}
    offers = History(quiet(load=late)).offers
    assert [it.rate for it in offers] == [20, 40]
    assert replace(offers[-1], start=0.0).stop == History(quiet()).stop
