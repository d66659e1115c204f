"""A small timeline by hand: from 5 to 10 s twice as many requests come, and those that are too many are refused."""

from typing import Any

from lab.analysis.timeline import Entry
from tests.support.timelines import T0, Picked, failed, quiet

LOAD = {"rate": 20, "rates": [{"at": 5, "rate": 40}, {"at": 10, "rate": 20}]}
REFUSED_S = 2.0


def crowd(refused_s: float = REFUSED_S, **changes: Any) -> list[Entry]:
    """Of 40 a second half are answered, and half are refused after a while."""
    due = [5.01 + number / 20 for number in range(100)]
    extra = [failed(at, ended=T0 + at + refused_s, served_by="") for at in due]
    return [*quiet(load=LOAD, **changes), *extra]


def came_with_it(entry: Entry) -> bool:
    """Picks the requests that were due while the crowd was there and not refused."""
    return entry.observer == "client" and T0 + 5 <= entry.at < T0 + 10 and entry.data["status"] != 503


def writes_with_it(entry: Entry) -> bool:
    """Of those the writes."""
    return came_with_it(entry) and entry.data["method"] == "POST"


def slower(entries: list[Entry], picked: Picked, seconds: float) -> list[Entry]:
    """The same, but what is picked took that long."""
    return [
        Entry(it.at, it.observer, it.kind, {**it.data, "ended": it.data["intended"] + seconds}) if picked(it) else it
        for it in entries
    ]
