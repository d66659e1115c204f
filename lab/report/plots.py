"""All plots of a run as one figure: what was done, what users got, what was seen."""

from typing import Any

from lab.analysis import state_intervals
from lab.analysis.history import History
from lab.analysis.metrics import per_second
from lab.analysis.state_intervals import Interval, Lanes
from lab.report import request_plots, state_lanes
from lab.report.axes import View
from lab.report.plot_layout import Panel, figure
from lab.report.state_lanes import Moment

PHASES = {"warm-up": "warm-up", "measure": "measured", "settle": "settling"}


def plots(history: History) -> dict[str, Any]:
    """The figure of a run, on the time since measuring began."""
    view = View.of(history)
    ends = [history.end if fault.healed is None else fault.healed for fault in history.faults]
    bands = [(view.since(fault.inject), view.since(end)) for fault, end in zip(history.faults, ends, strict=True)]
    marks = [view.since(entry.at) for entry in history.seen("lab", "command")]
    crowd = [request_plots.crowd(history, view)] if len(history.offers) > 1 else []
    shown = [_done(history, view), *crowd, *_requests(history, view), *_seen(history, view)]
    return figure(shown, (view.first, view.last), bands, marks)


def _requests(history: History, view: View) -> list[Panel]:
    return [
        request_plots.outcomes("Reads per second", per_second(history, "GET"), view),
        request_plots.outcomes("Writes per second", per_second(history, "POST"), view),
        request_plots.latency(history.requests, view),
        request_plots.answered(history.requests, view),
    ]


def _done(history: History, view: View) -> Panel:
    commands = [
        Moment(entry.data["words"], entry.at, entry.data["exit_code"] == 0) for entry in history.seen("lab", "command")
    ]
    rows: Lanes = {"phase": _phases(history), **state_intervals.faults(history), **{it.lane: [] for it in commands}}
    return state_lanes.panel("What was done", rows, view, commands)


def _phases(history: History) -> list[Interval]:
    phases = [(entry.at, entry.data["name"]) for entry in history.seen("lab", "phase")]
    stops = [*(at for at, _ in phases), history.end][1:]
    return [Interval(at, stop, PHASES[name]) for (at, name), stop in zip(phases, stops, strict=True) if name in PHASES]


def _seen(history: History, view: View) -> list[Panel]:
    """The lanes of each observer; an observer that saw nothing at all has none."""
    seen = {
        "What HAProxy said of its servers": state_intervals.servers(history),
        "What the databases were": state_intervals.databases(history),
        "What the machines were": state_intervals.power(history),
    }
    return [state_lanes.panel(title, _ordered(rows, history), view) for title, rows in seen.items() if rows]


def _ordered(rows: Lanes, history: History) -> Lanes:
    """Nodes in the order of lab.yml; one that it does not know comes last."""
    nodes = list(history.run.get("nodes", {}))
    return dict(sorted(rows.items(), key=lambda row: nodes.index(row[0]) if row[0] in nodes else len(nodes)))
