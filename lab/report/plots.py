"""All plots of a run as one figure: what was done, what users got, what was seen."""

from typing import Any

from lab.analysis import lanes
from lab.analysis.figures import per_second
from lab.analysis.history import History
from lab.analysis.lanes import Interval, Lanes
from lab.report import panels, tracks
from lab.report.figure import Panel, figure
from lab.report.tracks import Moment
from lab.report.view import View

PHASES = {"warm-up": "warm-up", "measure": "measured", "settle": "settling"}


def plots(history: History) -> dict[str, Any]:
    """The figure of a run, on the time since measuring began."""
    view = View.of(history)
    ends = [history.end if fault.healed is None else fault.healed for fault in history.faults]
    bands = [(view.since(fault.inject), view.since(end)) for fault, end in zip(history.faults, ends, strict=True)]
    marks = [view.since(entry.at) for entry in history.seen("lab", "command")]
    crowd = [panels.crowd(history, view)] if len(history.offers) > 1 else []
    shown = [_done(history, view), *crowd, *_requests(history, view), *_seen(history, view)]
    return figure(shown, (view.first, view.last), bands, marks)


def _requests(history: History, view: View) -> list[Panel]:
    return [
        panels.outcomes("Reads per second", per_second(history, "GET"), view),
        panels.outcomes("Writes per second", per_second(history, "POST"), view),
        panels.latency(history.requests, view),
        panels.answered(history.requests, view),
    ]


def _done(history: History, view: View) -> Panel:
    commands = [
        Moment(entry.data["words"], entry.at, entry.data["exit_code"] == 0) for entry in history.seen("lab", "command")
    ]
    rows: Lanes = {"phase": _phases(history), **lanes.faults(history), **{it.lane: [] for it in commands}}
    return tracks.panel("What was done", rows, view, commands)


def _phases(history: History) -> list[Interval]:
    phases = [(entry.at, entry.data["name"]) for entry in history.seen("lab", "phase")]
    stops = [*(at for at, _ in phases), history.end][1:]
    return [Interval(at, stop, PHASES[name]) for (at, name), stop in zip(phases, stops, strict=True) if name in PHASES]


def _seen(history: History, view: View) -> list[Panel]:
    """The lanes of each eye; an eye that saw nothing at all has none."""
    seen = {
        "What HAProxy said of its servers": lanes.servers(history),
        "What the databases were": lanes.databases(history),
        "What the machines were": lanes.power(history),
    }
    return [tracks.panel(title, _ordered(rows, history), view) for title, rows in seen.items() if rows]


def _ordered(rows: Lanes, history: History) -> Lanes:
    """Nodes in the order of lab.yml; one that it does not know comes last."""
    nodes = list(history.run.get("nodes", {}))
    return dict(sorted(rows.items(), key=lambda row: nodes.index(row[0]) if row[0] in nodes else len(nodes)))
