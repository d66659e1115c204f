"""The load of an experiment, without Locust: the intended times of requests, and that requests keep them."""

import json
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Network
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import gevent
import pytest

from lab import topology
from lab.analysis.load_record import merge
from lab.clock import now
from lab.errors import BadInput, InfrastructureBroken, LabError
from loadtests import settings
from loadtests.arrivals import Rate, arrivals, share
from loadtests.generator import Generator, peak
from loadtests.record import Record, Request
from loadtests.request import Site, Visit

LAB = replace(topology.load(), network=IPv4Network("127.0.0.0/8"))
STEADY = [Rate(0, 20)]
GOOD = {"rate": "20", "write_share": "0.2", "seed": "1", "record": "somewhere", "at_once": "0"}


def test_every_second_has_its_rate_and_no_beat() -> None:
    """Slots of equal length, with one arrival at a random moment of each."""
    times = [visit.after_s for visit in islice(arrivals(STEADY, 0.2, seed=1), 2000)]
    assert all(number <= after_s * 20 <= number + 1 for number, after_s in enumerate(times))
    assert len({round(later - earlier, 6) for earlier, later in pairwise(times)}) > 1900


def test_the_seed_says_it_all() -> None:
    """The same seed draws the same visits, another seed other times and kinds."""
    first, again, other = ([*islice(arrivals(STEADY, 0.2, seed), 100)] for seed in (1, 1, 2))
    assert first == again and first != other


def test_a_crowd_comes_and_goes_at_its_times() -> None:
    """Each part has its rate, and the parts meet without a gap."""
    times = [it.after_s for it in islice(arrivals([Rate(0, 10), Rate(2, 40), Rate(4, 10)], 0.2, seed=1), 150)]
    counted = [sum(start <= at < start + 2 for at in times) for start in (0, 2, 4)]
    assert counted == [20, 80, 20] and times == sorted(times)


def test_the_busiest_ten_seconds_are_told() -> None:
    """A crowd of ten seconds is seen, although the generator is idle for the other twenty."""
    used = [(float(at), float(min(max(at - 10, 0), 10)) * 0.6) for at in range(31)]
    assert peak(used) == pytest.approx(0.6) and peak(used[:10]) is None


@pytest.mark.parametrize("write_share", [0.0, 0.2, 1.0])
def test_the_share_of_writes_moves_nothing_else(write_share: float) -> None:
    """The share is right, and two runs that differ only in it send at the same times."""
    visits = [*islice(arrivals(STEADY, write_share, seed=1), 2000)]
    writes = [visit for visit in visits if visit.kind == "write"]
    assert len(writes) / 2000 == pytest.approx(write_share, abs=0.03)
    assert [visit.after_s for visit in visits] == [it.after_s for it in islice(arrivals(STEADY, 0.5, seed=1), 2000)]


def test_processes_share_what_one_would_send() -> None:
    """No visit is sent twice, none is left out."""
    parts = [[*islice(share(arrivals(STEADY, 0.2, seed=1), position, 3), 100)] for position in range(3)]
    together = sorted((visit for part in parts for visit in part), key=lambda visit: visit.after_s)
    assert together == [*islice(arrivals(STEADY, 0.2, seed=1), 300)]


def test_all_wrong_values_are_named_at_once(tmp_path: Path) -> None:
    """Each with its value; also a wrong host, and a folder that already has a record."""
    Record(tmp_path, "0").close()
    words = {"rate": "nan", "write_share": "1.1", "seed": "one", "record": str(tmp_path), "at_once": "-1"}
    with pytest.raises(BadInput) as caught:
        settings.check(words, ["no host"])
    for text in (
        "--rate: ",
        "'nan'",
        "--write-share: ",
        "--seed: ",
        "--at-once: ",
        "already holds a record",
        "no host",
    ):
        assert text in str(caught.value)
    settings.check(GOOD, [])


@pytest.mark.parametrize("rates", ["20", "20:", "20:30:40", "0:30", "20:0", "20:401", "20:30,10:5", "20:nan", "inf:3"])
def test_rates_that_make_no_sense_are_refused(rates: str) -> None:
    """They are refused before anything is sent."""
    with pytest.raises(BadInput, match="--rates: "):
        settings.check(GOOD | {"rates": rates}, [])


def test_later_rates_raise_the_bound_too() -> None:
    """If nothing answers, it is the crowd that hangs."""
    it = settings.Settings.model_validate(GOOD | {"rates": "20:30,40:100"})
    assert it.schedule == (Rate(0, 20), Rate(20, 30), Rate(40, 100)) and it.bound == 2040


@pytest.mark.parametrize(
    ("rate", "at_once", "bound"), [("20", "0", 408), ("100", "0", 2040), ("1", "0", 400), ("9", "3", 3)]
)
def test_the_bound_is_above_what_hangs_when_nothing_answers(rate: str, at_once: str, bound: int) -> None:
    """A request takes 17 seconds at most."""
    assert settings.Settings.model_validate(GOOD | {"rate": rate, "at_once": at_once}).bound == bound


class _Slow(Site):
    """A site whose visits take 0.3 seconds and are counted."""

    def visit(self, visit: Visit) -> tuple[Request, int]:
        sent = now()
        gevent.sleep(0.3)
        request = Request(visit.method, visit.name, visit.intended, sent, visit.token, now(), 200, "ok", "")
        self.record.end(request)
        return request, 0


@pytest.fixture
def generator(tmp_path: Path) -> Callable[..., tuple[Generator, list[LabError]]]:
    """A generator that sends 100 requests a second to the slow site, and a list of its reasons to give up."""

    def make(bound: int, lost: Callable[[], LabError | None] = lambda: None) -> tuple[Generator, list[LabError]]:
        why: list[LabError] = []
        slow = _Slow(LAB, "http://127.0.0.1:9", Record(tmp_path, "0"))
        return Generator(slow, arrivals([Rate(0, 100)], 0.5, 1), bound, lost, lambda *_: None, why.append), why

    return make


def test_a_bound_that_is_hit_delays_requests_and_hides_none(
    generator: Callable[..., tuple[Generator, list[LabError]]], tmp_path: Path
) -> None:
    """All intended requests are recorded: sent late, or not sent because there was no place."""
    load, _ = generator(bound=2)
    load.start()
    gevent.sleep(0.7)
    load.end()
    entries = merge(tmp_path)
    figures = json.loads((tmp_path / "generator-0.json").read_text())
    assert figures["intended"] == len(entries) == pytest.approx(70, abs=10)
    missed = [entry for entry in entries if entry["reason"] == "not sent"]
    assert {entry["outcome"] for entry in missed} == {"failed"}
    assert 4 <= figures["dispatched"] == len(entries) - len(missed) <= 8
    assert figures["late_max_s"] > 0.3


def test_the_end_waits_for_requests_in_progress(
    generator: Callable[..., tuple[Generator, list[LabError]]], tmp_path: Path
) -> None:
    """No request is interrupted."""
    load, why = generator(bound=400)
    load.start()
    gevent.sleep(0.2)
    load.end()
    assert len(merge(tmp_path)) == pytest.approx(20, abs=5)
    assert {entry["outcome"] for entry in merge(tmp_path)} == {"ok"} and why == []


@pytest.mark.parametrize(("before", "sent"), [(0, 0), (2, 20)])
def test_nothing_is_sent_once_the_way_is_lost(
    generator: Callable[..., tuple[Generator, list[LabError]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: int,
    sent: int,
) -> None:
    """Nothing is sent, whether the route is lost before the start or later."""
    monkeypatch.setattr("loadtests.generator.ASK_EVERY_S", 0.1)
    answers = iter([*[None] * before, InfrastructureBroken("destroyed")])
    load, why = generator(400, lambda: next(answers, None))
    load.start()
    gevent.sleep(0.5)
    load.end()
    assert len(merge(tmp_path)) == pytest.approx(sent, abs=8 * bool(sent))
    assert [error.what for error in why] == ["destroyed"]


def test_a_record_that_cannot_be_written_ends_the_load(
    generator: Callable[..., tuple[Generator, list[LabError]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk the load stops: unrecorded requests would be worse than none."""
    load, why = generator(400)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(load.site.record, "end", full)
    load.start()
    gevent.sleep(0.5)
    load.end()
    assert len(why) == 1 and "No space left" in str(why[0])
