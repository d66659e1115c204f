"""The load of experiments without Locust: when requests are meant to start, and that they do."""

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
from lab.errors import BadInput, LabError, RigBroken
from loadtests import settings
from loadtests.arrivals import arrivals, share
from loadtests.clock import now
from loadtests.generator import Generator
from loadtests.record import Record, Request, merge
from loadtests.visit import Site, Visit

LAB = replace(topology.load(), network=IPv4Network("127.0.0.0/8"))
GOOD = {"rate": "20", "write_share": "0.2", "seed": "1", "record": "somewhere", "at_once": "0"}


def test_every_second_has_its_rate_and_no_beat() -> None:
    """Slots of equal length, with one arrival somewhere in each."""
    times = [visit.after_s for visit in islice(arrivals(20, 0.2, seed=1), 2000)]
    assert all(number <= after_s * 20 <= number + 1 for number, after_s in enumerate(times))
    assert len({round(later - earlier, 6) for earlier, later in pairwise(times)}) > 1900


def test_the_seed_says_it_all() -> None:
    """The same one draws the same, another one other times and wishes."""
    first, again, other = ([*islice(arrivals(20, 0.2, seed), 100)] for seed in (1, 1, 2))
    assert first == again and first != other


@pytest.mark.parametrize("write_share", [0.0, 0.2, 1.0])
def test_the_share_of_writes_moves_nothing_else(write_share: float) -> None:
    """It is kept, and two runs that differ only in it send at the same times."""
    visits = [*islice(arrivals(20, write_share, seed=1), 2000)]
    writes = [visit for visit in visits if visit.kind == "write"]
    assert len(writes) / 2000 == pytest.approx(write_share, abs=0.03)
    assert [visit.after_s for visit in visits] == [it.after_s for it in islice(arrivals(20, 0.5, seed=1), 2000)]


def test_processes_share_what_one_would_send() -> None:
    """Nothing twice, nothing left out."""
    parts = [[*islice(share(arrivals(20, 0.2, seed=1), position, 3), 100)] for position in range(3)]
    together = sorted((visit for part in parts for visit in part), key=lambda visit: visit.after_s)
    assert together == [*islice(arrivals(20, 0.2, seed=1), 300)]


def test_all_wrong_values_are_named_at_once(tmp_path: Path) -> None:
    """Each with what it was; the host's and the taken folder's too."""
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
    """A generator of 100 requests a second for the slow site, and why it gave up."""

    def make(bound: int, lost: Callable[[], LabError | None] = lambda: None) -> tuple[Generator, list[LabError]]:
        why: list[LabError] = []
        slow = _Slow(LAB, "http://127.0.0.1:9", Record(tmp_path, "0"))
        return Generator(slow, arrivals(100, 0.5, 1), bound, lost, lambda *_: None, why.append), why

    return make


def test_a_bound_that_is_hit_delays_requests_and_hides_none(
    generator: Callable[..., tuple[Generator, list[LabError]]], tmp_path: Path
) -> None:
    """All that were meant are recorded: sent late, or not sent for want of a place."""
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


def test_the_end_waits_for_requests_under_way(
    generator: Callable[..., tuple[Generator, list[LabError]]], tmp_path: Path
) -> None:
    """None is cut off."""
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
    """Neither at the start nor later."""
    monkeypatch.setattr("loadtests.generator.ASK_EVERY_S", 0.1)
    answers = iter([*[None] * before, RigBroken("destroyed")])
    load, why = generator(400, lambda: next(answers, None))
    load.start()
    gevent.sleep(0.5)
    load.end()
    assert len(merge(tmp_path)) == pytest.approx(sent, abs=8 * bool(sent))
    assert [error.what for error in why] == ["destroyed"]


def test_a_record_that_cannot_be_written_ends_the_load(
    generator: Callable[..., tuple[Generator, list[LabError]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk: requests that nobody knows of would be worse than none."""
    load, why = generator(400)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(load.site.record, "end", full)
    load.start()
    gevent.sleep(0.5)
    load.end()
    assert len(why) == 1 and "No space left" in str(why[0])
