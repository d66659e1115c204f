"""Lanes on the time axis: what was done, and what was seen, as bars with their words in them."""

import html
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lab.analysis.state_intervals import BLIND, Interval, Lanes
from lab.report.axes import View
from lab.report.plot_layout import Panel, Trace

ROW = 42  # pixels of one lane
LONGEST_NAME = 26
PATTERNS = {"good": "", "calm": "", "bad": "/", "unseen": "."}  # tell the tones apart without colour too
TONES = {
    "UP": "good",
    "no check": "good",  # HAProxy sends requests there
    "running": "good",
    "primary, writable, semi-sync OFF": "calm",
    "primary, writable": "good",
    "DOWN": "bad",
    "not running": "bad",
    "frozen": "bad",
    "failed (": "bad",
    "done": "good",
    "off": "bad",
    "paused": "bad",
    "beginning": "bad",
    "active": "bad",
    "replica, writable": "bad",
    "replica, stopped": "bad",
    "unassigned, writable": "bad",
    BLIND: "unseen",
}
WORDS = {BLIND: "not seen"}
INSIDE = {
    "textposition": "inside",
    "insidetextanchor": "middle",
    "textangle": 0,
    "textfont": {"color": "var(--onlane)"},
    "showlegend": False,
}


class Bar(NamedTuple):
    """A part of a lane, in seconds since measuring began."""

    lane: str
    first: float
    last: float
    label: str

    @property
    def tone(self) -> str:
        """Whether what it says is good, bad, neither, or not known."""
        return next((tone for word, tone in TONES.items() if self.label.startswith(word)), "calm")


class Moment(NamedTuple):
    """Something that took no time, and whether it went well."""

    lane: str
    at: float
    good: bool


def panel(title: str, lanes: Lanes, view: View, moments: Sequence[Moment] = ()) -> Panel:
    """One row a lane, from top to bottom."""
    names = [_named(lane, view) for lane in lanes]
    bars = list(_bars(lanes, view))
    traces = [_trace(tone, [bar for bar in bars if bar.tone == tone]) for tone in PATTERNS]
    axis = {"categoryorder": "array", "categoryarray": names, "range": [len(names) - 0.5, -0.5]}
    return Panel(
        title, ROW * len(names), [*traces, _signs(moments, view)], {"type": "category", "showgrid": False} | axis
    )


def _named(lane: str, view: View) -> str:
    """The name as Plotly shows it, which takes some tags for markup; a server has its colour before it."""
    name = html.escape(lane if len(lane) <= LONGEST_NAME else lane[: LONGEST_NAME - 1] + "…")
    server = lane.partition(" ")[0]
    return f'<span style="color:{view.colour(server)}">■</span> {name}' if server in view.servers else name


def _bars(lanes: Mapping[str, Sequence[Interval]], view: View) -> Iterator[Bar]:
    """What is within the time that is shown, so that words stand in the middle of what can be seen."""
    for lane, parts in lanes.items():
        for part in parts:
            first, last = max(view.since(part.start), view.first), min(view.since(part.stop), view.last)
            if last > first:
                yield Bar(_named(lane, view), first, last, part.label)


def _trace(tone: str, bars: Sequence[Bar]) -> Trace:
    pattern = {"shape": PATTERNS[tone], "bgcolor": f"var(--{tone})", "fgcolor": "var(--hatch)", "fgopacity": 0.35}
    return {
        "type": "bar",
        "orientation": "h",
        "y": [bar.lane for bar in bars],
        "base": [bar.first for bar in bars],
        "x": [round(bar.last - bar.first, 2) for bar in bars],
        "text": [html.escape(WORDS.get(bar.label, bar.label)) for bar in bars],
        "customdata": [f"{bar.first:.1f} to {bar.last:.1f} s" for bar in bars],
        "width": 0.82,
        "marker": {
            "color": f"var(--{tone})",
            "line": {"width": 1, "color": "var(--paper)"},
            "pattern": pattern | {"size": 9, "solidity": 0.2},
        },
        "hovertemplate": "%{y}: %{text}, %{customdata}<extra></extra>",
        **INSIDE,
    }


def _signs(moments: Sequence[Moment], view: View) -> Trace:
    marker: dict[str, Any] = {
        "symbol": ["diamond" if moment.good else "x" for moment in moments],
        "color": ["var(--ink)" if moment.good else "var(--failed)" for moment in moments],
        "size": 17,
    }
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [view.since(moment.at) for moment in moments],
        "y": [_named(moment.lane, view) for moment in moments],
        "marker": marker,
        "hovertemplate": "%{y} at %{x:.1f} s<extra></extra>",
        "showlegend": False,
    }
