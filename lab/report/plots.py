"""All plots of a run as one figure: what was done, what users got, what was seen."""

from collections.abc import Iterable, Sequence
from typing import Any

from lab.analysis import state_intervals
from lab.analysis.history import History
from lab.analysis.metrics import per_second
from lab.analysis.state_intervals import Interval, Lanes
from lab.report import request_plots, state_lanes
from lab.report.axes import View
from lab.report.plot_layout import Panel, figure
from lab.report.rounds import rounds
from lab.report.run_commands import RunCommand, of_the_story, run_commands, way_back
from lab.report.state_lanes import Moment

PHASES = {"warm-up": "warm-up", "measure": "measured", "settle": "bringing the lab back"}


def plots(history: History, titles: Sequence[str] = ()) -> dict[str, Any]:
    """The figure of a run, on the time since measuring began; of `titles` alone where some are given."""
    view = View.of(history)
    ends = [history.end if fault.healed is None else fault.healed for fault in history.faults]
    bands = [(view.since(fault.inject), view.since(end)) for fault, end in zip(history.faults, ends, strict=True)]
    marks = [view.since(it.began) for it in run_commands(history)]
    shown = [it for it in _panels(history, view) if not titles or it.title in titles]
    return figure(shown, (view.first, view.last), bands, marks)


def _panels(history: History, view: View) -> list[Panel]:
    crowd = [request_plots.crowd(history, view)] if len(history.offers) > 1 else []
    return [*_done(history, view), *crowd, *_requests(history, view), *_seen(history, view)]


def _requests(history: History, view: View) -> list[Panel]:
    kinds = [("GET", "reads", request_plots.READS), ("POST", "writes", request_plots.WRITES)]
    made = {method: [it for it in history.requests if it.method == method] for method, _, _ in kinds}
    rates = [
        request_plots.outcomes(f"{words.capitalize()} per second", per_second(history, method), view, names)
        for method, words, names in kinds
        if made[method]
    ]
    times = [
        request_plots.latency(f"How long {words} took", made[method], view, names)
        for method, words, names in kinds
        if made[method]
    ]
    return [*rates, *times, request_plots.answered(history.requests, view)]


def _done(history: History, view: View) -> list[Panel]:
    """Two panels: the experiment, and, where more than healing was needed, what brought the lab back."""
    done = run_commands(history)
    story, back = of_the_story(done), way_back(done)
    rows: Lanes = {"phase": _phases(history), **_rounds(history), **state_intervals.faults(history), **_lanes(story)}
    shown = [state_lanes.panel("What was done", rows, view, _moments(story))]
    if back:
        shown.append(state_lanes.panel("What brought the lab back", _lanes(back), view, _moments(back)))
    return shown


def _phases(history: History) -> list[Interval]:
    phases = [(entry.at, entry.data["name"]) for entry in history.seen("lab", "phase")]
    stops = [*(at for at, _ in phases), history.end][1:]
    return [Interval(at, stop, PHASES[name]) for (at, name), stop in zip(phases, stops, strict=True) if name in PHASES]


def _rounds(history: History) -> Lanes:
    found = rounds(history)
    return {f"round, of {found[0].of}": [Interval(it.start, it.stop, str(it.number)) for it in found]} if found else {}


def _lanes(done: Iterable[RunCommand]) -> Lanes:
    lanes: Lanes = {}
    for it in done:
        lanes.setdefault(it.words, []).extend([it.interval] if it.took_s else [])
    return lanes


def _moments(done: Iterable[RunCommand]) -> list[Moment]:
    """Those that have no bar, for nobody recorded when they began."""
    return [Moment(it.words, it.ended, not it.exit_code) for it in done if not it.took_s]


def _seen(history: History, view: View) -> list[Panel]:
    """The lanes of each observer; an observer that saw nothing at all has none."""
    seen = {
        "What HAProxy said of its servers": state_intervals.servers(history),
        "Services that stopped": state_intervals.services(history),
        "What the databases were": state_intervals.databases(history),
        "What the machines were": state_intervals.power(history),
    }
    return [state_lanes.panel(title, _ordered(rows, history), view) for title, rows in seen.items() if rows]


def _ordered(rows: Lanes, history: History) -> Lanes:
    """Nodes in the order of lab.yml; one that it does not know comes last."""
    nodes = list(history.run.get("nodes", {}))
    return dict(sorted(rows.items(), key=lambda row: _place(row[0].partition(" ")[0], nodes)))


def _place(node: str, nodes: Sequence[str]) -> int:
    return nodes.index(node) if node in nodes else len(nodes)
