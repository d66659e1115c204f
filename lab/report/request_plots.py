"""The plots of requests: how many by outcome, how long they took, who answered them."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from lab.analysis.checks.crowd import REFUSED
from lab.analysis.history import History, Request
from lab.analysis.metrics import Second, percentiles
from lab.report.axes import View
from lab.report.plot_layout import Panel, Trace

MOST_DOTS = 4000
PATTERNS = {"ok": "", "failed": "/", "unknown": "."}  # tell the outcomes apart without colour too
DOTS = {
    "ok": (5, "circle", 0.45),
    "failed": (8, "x-thin", 0.8),
    "unknown": (11, "diamond", 0.9),
}  # size, shape, opacity
# What an outcome is called: a read changes nothing, so it is never unknown.
READS = {"ok": "ok", "failed": "failed"}
WRITES = {"ok": "acknowledged", "failed": "refused", "unknown": "unknown"}
Names = Mapping[str, str]
TICKS = {0.001: "1 ms", 0.01: "10 ms", 0.1: "100 ms", 1: "1 s", 10: "10 s", 100: "100 s"}
LOWEST, MOST_LOW = 0.001, 0.05  # the axis of times begins between these, in seconds
SINCE_SENT = "p99 since sent"
LATE_S, LATE_FACTOR = 0.05, 1.2  # what makes the two lines of a plot look different
COUNTS = {"rangemode": "tozero", "nticks": 5}


def outcomes(title: str, seconds: Iterable[Second], view: View, names: Names = READS) -> Panel:
    """Requests per second, stacked by outcome, each with the name that it has there."""
    bins: dict[str, Counter[int]] = {name: Counter() for name in PATTERNS}
    for second in seconds:
        for name, counted in bins.items():
            counted[view.bin(second.at)] += getattr(second, name)
    traces = [_bars(names[it], bins[it], view, f"var(--{it})", shape) for it, shape in PATTERNS.items() if it in names]
    return Panel(title, 170, traces, COUNTS)


def answered(requests: Iterable[Request], view: View) -> Panel:
    """Requests per second, stacked by the server that answered."""
    bins: dict[str, Counter[int]] = {name: Counter() for name in [*view.servers, ""]}
    for request in requests:
        bins[request.served_by if request.served_by in bins else ""][view.bin(request.intended)] += 1
    traces = [_bars(name, bins[name], view, view.colour(name), "") for name in view.servers]
    traces.append(_bars("nobody", bins[""], view, "var(--nobody)", "x"))
    return Panel("Who answered, per second", 170, traces, COUNTS)


def crowd(history: History, view: View) -> Panel:
    """What was sent, answered and refused per second, and how many requests waited for a slot, as lines on one axis."""
    sent = Counter(view.bin(it.intended) for it in history.requests)
    answered = Counter(view.bin(it.intended) for it in history.requests if it.is_answered)
    refused = Counter(view.bin(it.intended) for it in history.requests if it.status == REFUSED)
    waiting: dict[int, int] = {}
    for entry in history.seen("balancer", "servers"):
        number = view.bin(entry.at)
        waiting[number] = max(waiting.get(number, 0), sum(entry.data.get("queues", {}).values()))
    numbers = range(min(sent, default=0), max(sent, default=0) + 1)
    counted = [("sent", sent, "naive", 6), ("answered", answered, "ok", 3), ("refused", refused, "failed", 3)]
    traces = [
        _curve(name, {it: bins[it] / view.step for it in numbers}, f"var(--{colour})", width, view)
        for name, bins, colour, width in counted
    ]
    traces.append(_curve("waiting", waiting, "var(--ink)", 2, view) | {"line": {"color": "var(--ink)", "dash": "dot"}})
    return Panel("The crowd, per second", 270, traces, COUNTS)


def _curve(name: str, bins: Mapping[int, float], colour: str, width: int, view: View) -> Trace:
    numbers = sorted(bins)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [view.middle(number) for number in numbers],
        "y": [round(bins[number], 3) for number in numbers],
        "line": {"color": colour, "width": width},
        "hovertemplate": "%{x:.0f} s: %{y:.3g}<extra>" + name + "</extra>",
    }


def latency(title: str, requests: Iterable[Request], view: View, names: Names = READS) -> Panel:
    """Each request by how long it took since it was due, as its user felt it, and what 99 % took at most.

    Where the client sent late, a second line counts from then: what it shows too little is the wait before.
    """
    ended = [request for request in requests if request.ended is not None]
    traces = [_dots(word, name, [it for it in ended if _outcome(it) == word], view) for word, name in names.items()]
    felt, sent = (_line(name, ended, took, view) for name, took in (("p99", _corrected), (SINCE_SENT, _naive)))
    if _differ(felt["y"], sent["y"]):
        traces.append(sent | {"line": {"color": "var(--naive)", "width": 7}})
    traces.append(felt | {"line": {"color": "var(--ink)", "width": 2}})
    highest = math.log10(max([2.0, *map(_corrected, ended)]))
    ticks = {"tickvals": list(TICKS), "ticktext": list(TICKS.values())}
    lowest = math.log10(max(min([MOST_LOW, *map(_corrected, ended)]), LOWEST))
    axis = {"type": "log", "range": [lowest - 0.15, highest + 0.15]} | ticks
    return Panel(title, 250, traces, axis)


def sent_late(history: History) -> bool:
    """Whether that second line is drawn for the reads or the writes of a run."""
    view = View.of(history)
    ended = [it for it in history.requests if it.ended is not None]
    kinds = [[it for it in ended if it.method == method] for method in ("GET", "POST")]
    return any(_differ(*(_line("", them, took, view)["y"] for took in (_corrected, _naive))) for them in kinds)


def _differ(felt: Sequence[float], sent: Sequence[float]) -> bool:
    return any(one - other > LATE_S and one > other * LATE_FACTOR for one, other in zip(felt, sent, strict=True))


def thinned(count: int) -> int:
    """Of so many requests with the same outcome, each how-many-th is drawn as a dot: the page stays small."""
    return max(math.ceil(count / MOST_DOTS), 1)


def _corrected(request: Request) -> float:
    return 0.0 if request.ended is None else request.ended - request.intended


def _naive(request: Request) -> float:
    return 0.0 if request.ended is None else request.ended - request.sent


def _outcome(request: Request) -> str:
    return "ok" if request.is_answered else request.outcome


def _dots(outcome: str, name: str, requests: Sequence[Request], view: View) -> Trace:
    size, symbol, opacity = DOTS[outcome]
    drawn = requests[:: thinned(len(requests))]
    edge = {"color": f"var(--{outcome})", "width": 2 if symbol.endswith("thin") else 0}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [view.since(request.intended) for request in drawn],
        "y": [max(round(_corrected(request), 4), LOWEST) for request in drawn],
        "marker": {"color": f"var(--{outcome})", "size": size, "symbol": symbol, "opacity": opacity, "line": edge},
        "hovertemplate": "%{x:.1f} s: %{y:.3f} s<extra>" + name + "</extra>",
    }


def _line(name: str, ended: Iterable[Request], took: Callable[[Request], float], view: View) -> Trace:
    bins: dict[int, list[float]] = {}
    for request in ended:
        bins.setdefault(view.bin(request.intended), []).append(took(request))
    points = [(number, found.p99) for number in sorted(bins) if (found := percentiles(bins[number]))]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [view.middle(number) for number, _ in points],
        "y": [max(round(p99, 4), LOWEST) for _, p99 in points],
        "hovertemplate": "%{x:.0f} s: %{y:.3f} s<extra>" + name + "</extra>",
    }


def _bars(name: str, bins: Counter[int], view: View, color: str, shape: str) -> Trace:
    pattern = {"shape": shape, "bgcolor": color, "fgcolor": "var(--paper)", "size": 8, "solidity": 0.25}
    counted = sorted((number, count) for number, count in bins.items() if count)
    return {
        "type": "bar",
        "name": name,
        "x": [view.middle(number) for number, _ in counted],
        "y": [round(count / view.step, 3) for _, count in counted],
        "width": view.step,
        "marker": {"color": color, "line": {"width": 0}, "pattern": pattern},
        "hovertemplate": "%{x:.0f} s: %{y:.3g} a second<extra>" + name + "</extra>",
        "showlegend": True,
    }
