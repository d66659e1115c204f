"""What could not be seen in a run, and how exact its numbers are."""

from collections.abc import Iterator, Mapping
from typing import Any

from lab.analysis.checks import coverage
from lab.analysis.exposure import injections, share_below
from lab.analysis.history import History
from lab.report.confidence import confidence, proves
from lab.report.request_plots import thinned

OBSERVERS = {
    "balancer": "HAProxy on",
    "database": "The database on",
    "service": "The services on",
    "node": "The machine",
}
JUMP_S = 1.0
# A share of all processors: its sentence, what is allowed, and the doubt above that.
HOST_USE = {
    "busy": (
        "This machine's processors were busy {} of the time",
        0.9,
        "requests wait for a processor, so run it with a lower load.rate",
    ),
    "other_programs": (
        "Other programs used {} of this machine's processors",
        0.1,
        "they slow the lab, so close them and run it again",
    ),
    "stolen": (
        "The host that runs this machine kept {} of their time for others",
        0.02,
        "it slows the lab, so run it again when that host is less busy",
    ),
}
BUSY = 0.8  # of a core, and a process has one: above that the load client measures itself


def limits(history: History, summary: Mapping[str, Any]) -> list[str]:
    """One line each, for readers who want to know how far to trust the page."""
    return [
        *_without(history),
        *_rate(history),
        generator(history, summary),
        *host_use(history),
        *_clocks(history),
        *_jumped(history),
        *_blind(history),
        *confidence(summary),
        *_losses(history, summary),
        *_dots(history),
    ]


def _without(history: History) -> Iterator[str]:
    names = history.run.get("without", [])
    if names:
        yield f"A negative control: for this run the lab was without {', '.join(names)}, so that trouble must be found."


def _rate(history: History) -> Iterator[str]:
    load, seconds = history.run.get("load", {}), history.stop - history.start
    if not history.requests or not load or seconds <= 0:
        yield "How many requests were due and how many were sent is not known."
        return
    sent = sum(history.start <= it.sent < history.stop for it in history.requests)
    yield f"Load: {sent / seconds:.1f} requests a second were sent while measuring, {load['rate']:g} were due."
    endless = sum(it.ended is None for it in history.requests)
    if endless:
        yield f"{endless} requests never ended: they count as lasting to the end of the run, and have no dot."


def generator(history: History, summary: Mapping[str, Any]) -> str:
    """How busy the load client was, and whether that is a doubt."""
    cpu, processes = summary["generator"]["cpu"], history.run.get("load", {}).get("processes", 1)
    if cpu is None:
        return "How busy the load client was is not known."
    doubt = ": too busy, the times are partly its own" if cpu > BUSY else ""
    who = "The load client" if processes == 1 else f"The busiest of {processes} load processes"
    return f"{who} used {cpu:.0%} of a core{doubt}.".replace("%", " %")


def host_use(history: History) -> Iterator[str]:
    """How busy the hosting machine was, and whether that is a doubt; runs of before this was counted say nothing."""
    for entry in history.seen("lab", "generator"):
        for name, (sentence, allowed, doubt) in HOST_USE.items():
            share = entry.data.get(name)
            if share is not None:
                text = sentence.format(f"{share:.0%}".replace("%", " %"))
                yield f"{text}{f': {doubt}' if share > allowed else ''}."


def _clocks(history: History) -> Iterator[str]:
    clocks = [it.data for it in history.seen("lab", "clock")]
    if clocks:
        yield "All times here are by the clock of the hosting machine, so clocks of nodes that differ change none."
        yield f"When the run began, {', '.join(map(_clock, clocks))}."
    else:
        yield "The clocks of the nodes were not compared."


def _clock(data: Mapping[str, Any]) -> str:
    error, unsure = data["error_s"], data["uncertainty_s"]
    if abs(error) <= unsure:
        return f"the clock of {data['node']} was right (measured within {_seconds(unsure)})"
    way = "ahead" if error > 0 else "behind"
    return f"the clock of {data['node']} was {_seconds(abs(error))} {way} (give or take {_seconds(unsure)})"


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value >= 1 else f"{value * 1000:.0f} ms"


def _jumped(history: History) -> Iterator[str]:
    """A laptop that slept, or a clock that was corrected; the clock of a run does not jump."""
    seconds = sum(it.data.get("clock_jumped_s", 0.0) for it in history.seen("lab", "end"))
    if abs(seconds) >= JUMP_S:
        event = "slept or its clock was set" if seconds > 0 else "had its clock set back"
        yield f"The hosting machine {event} while this ran ({seconds:+.1f} s): times here leave that out."


def _blind(history: History) -> Iterator[str]:
    blind: dict[tuple[str, str, str], list[float]] = {}
    for entry in (it for it in history.entries if it.kind == "blind"):
        key = (entry.observer, entry.data.get("node", ""), entry.data.get("why", ""))
        blind.setdefault(key, []).append(entry.at)
    for (observer, node, why), times in blind.items():
        span = f"between {history.clock(times[0])} and {history.clock(times[-1])}"
        yield f"{OBSERVERS.get(observer, observer)} {node} could not be asked {len(times)} times {span}: {why}."
    yield from (f"{words[0].upper()}{words[1:]}." for words in _gaps(history) if words)


def _gaps(history: History) -> Iterator[str]:
    yield coverage.client(history)
    yield coverage.balancer(history)
    for node, states in history.states("database").items():
        yield coverage.database(history, node, [entry.at for entry in states])


def _losses(history: History, summary: Mapping[str, Any]) -> Iterator[str]:
    """None of n does not mean never."""
    writes, times = summary["writes"], len(injections(history))
    if writes["acknowledged"] and writes["lost"] == 0:
        counted = {"injections": times, "share_below": share_below(0, times)}
        yield f"0 of {writes['acknowledged']} acknowledged writes were lost{proves(counted, 'a lost write')}."


def _dots(history: History) -> Iterator[str]:
    step = thinned(sum(it.is_answered for it in history.requests))
    if step > 1:
        yield f"Of the requests that went well only one in {step} is drawn as a dot; lines and numbers have them all."
