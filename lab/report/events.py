"""What happened, in order, as text: what the plots show, for readers who can't see them or print the page."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lab.analysis import state_intervals
from lab.analysis.checks.outages import longest
from lab.analysis.history import History
from lab.analysis.state_intervals import BLIND, Lanes
from lab.report.fault_phrases import duration, phrase
from lab.report.rounds import rounds
from lab.report.run_commands import run_commands

PHASES = {
    "measure": "measuring begins",
    "settle": "the steps are over: what is left is healed, and the lab is brought back",
    "end": "the load ends",
}
OUTAGE_S = 1.0


class Event(NamedTuple):
    """One line: when (Unix seconds), who says so, and what."""

    at: float
    source: str
    words: str


def events(history: History) -> list[Event]:
    """All of them by time."""
    found = [*_done(history), *_outages(history), *_states(history)]
    return sorted((it for it in found if it.at > history.entries[0].at), key=lambda it: it.at)


def _done(history: History) -> Iterator[Event]:
    for entry in history.seen("lab", "phase"):
        if entry.data["name"] in PHASES:
            yield Event(entry.at, "experiment", PHASES[entry.data["name"]])
    yield from (Event(it.start, "experiment", f"{it.name} begins") for it in rounds(history))
    for kind, words in (("inject", "{what} ({id})"), ("heal", "healing of {id} begins"), ("healed", "{id} is healed")):
        for entry in history.seen("lab", kind):
            fault = entry.data["fault"]
            yield Event(entry.at, "experiment", words.format(what=phrase(fault), id=fault["id"]))
    for it in run_commands(history):
        ended = f"failed (exit code {it.exit_code})" if it.exit_code else "is done"
        yield from [Event(it.began, "experiment", f"{it.words} begins")] if it.took_s else []
        yield Event(it.ended, "experiment", f"{it.words} {ended}")


def _outages(history: History) -> Iterator[Event]:
    for method, words in (("GET", "read succeeds"), ("POST", "write is acknowledged")):
        requests = history.measured(method)
        first, last = longest(requests) if requests else (0.0, 0.0)
        if last - first > OUTAGE_S:
            yield Event(first, "load", f"from here no {words} for {duration(last - first)}")


def _states(history: History) -> Iterator[Event]:
    yield from _changes("HAProxy", state_intervals.servers(history))
    yield from _changes("systemd", state_intervals.services(history))
    yield from _changes("MySQL", state_intervals.databases(history))
    yield from _changes("hypervisor", state_intervals.power(history))


def _changes(source: str, lanes: Lanes) -> Iterable[Event]:
    """Each change of what was seen; what was there from the beginning is none."""
    for lane, parts in lanes.items():
        for part in parts[1:]:
            yield Event(part.start, source, f"{lane}: {'not seen' if part.label == BLIND else part.label}")
