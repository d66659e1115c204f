"""One plotly figure: panels above each other on one time axis, with what was broken shaded across all of them.

Colours are names of CSS variables: report.js puts in the ones of the light or the dark page.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Trace = dict[str, Any]
Span = tuple[float, float]

TICKS, TITLE, LEGEND, BELOW = 38, 44, 30, 76  # pixels: what stands between two panels, and below the last one
RIGHT, LETTER = 24, 12  # the margin left of the plots has room for the longest name of a lane
SMALL, NORMAL, LARGE = 18, 20, 25


@dataclass(frozen=True)
class Panel:
    """One plot of the figure: its traces and what is special about its y axis."""

    title: str
    height: int
    traces: Sequence[Trace]
    axis: Mapping[str, Any] = field(default_factory=dict)

    @property
    def above(self) -> int:
        """The room for its title, and for a legend below that where it has one."""
        return TITLE + (LEGEND if any(it.get("showlegend", True) for it in self.traces) else 0)


def figure(panels: Sequence[Panel], shown: Span, bands: Iterable[Span], marks: Sequence[float]) -> dict[str, Any]:
    """Data and layout for Plotly.newPlot; `shown` is the part of the time axis that is shown first."""
    inner = sum(it.height for it in panels) + sum(it.above + TICKS for it in panels[1:])
    above = panels[0].above if panels else TITLE
    layout: dict[str, Any] = _frame(above + inner + BELOW, _left(panels), bands)
    layout["margin"]["t"] = above
    data: list[Trace] = []
    top = float(inner)
    for number, panel in enumerate(panels, start=1):
        bottom = top - panel.height
        last = number == len(panels)
        layout |= _panel(panel, number, (max(bottom / inner, 0.0), top / inner), shown, last)
        layout["annotations"].append(_title(panel, top / inner))
        layout["shapes"] += [_mark(at, number) for at in marks]
        data += [_placed(trace, number) for trace in panel.traces]
        top = bottom - TICKS - (0 if last else panels[number].above)
    return {"data": data, "layout": layout}


def _left(panels: Sequence[Panel]) -> int:
    names = [re.sub("<.*?>", "", name) for panel in panels for name in panel.axis.get("categoryarray", ())]
    return 30 + LETTER * max(map(len, [*names, "100 ms"]))


def _frame(height: int, left: int, bands: Iterable[Span]) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": left, "r": RIGHT, "b": BELOW},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "var(--font)", "size": NORMAL, "color": "var(--ink)"},
        "barmode": "stack",
        "bargap": 0,
        "uniformtext": {"mode": "hide", "minsize": SMALL},  # words that don't fit in their bar
        "hovermode": "closest",
        "hoverlabel": {"font": {"size": NORMAL}},
        "dragmode": "zoom",
        "annotations": [],
        "shapes": [*map(_band, bands)],
    }


def _panel(panel: Panel, number: int, domain: Span, shown: Span, last: bool) -> dict[str, Any]:
    key = _key(number)
    x = {
        "anchor": f"y{key}",
        "range": list(shown),
        "ticksuffix": " s",
        "tickfont": {"size": SMALL},
        "nticks": 16,
        "gridcolor": "var(--grid)",
        "zeroline": False,
        "showspikes": True,
        "spikemode": "across",
        "spikethickness": 1,
        "spikecolor": "var(--ink)",
    }
    if key:
        x["matches"] = "x"
    if last:
        x["title"] = {"text": "seconds since measuring began", "font": {"size": NORMAL}, "standoff": 8}
    y = {"anchor": f"x{key}", "domain": list(domain), "gridcolor": "var(--grid)", "zeroline": False, "fixedrange": True}
    y |= {"ticks": "outside", "ticklen": 8, "tickcolor": "rgba(0,0,0,0)"}
    legend = {"orientation": "h", "x": 0, "xanchor": "left", "y": domain[1], "yanchor": "bottom"}
    plain = {"bgcolor": "rgba(0,0,0,0)", "font": {"size": NORMAL}, "traceorder": "normal", "itemsizing": "constant"}
    return {f"xaxis{key}": x, f"yaxis{key}": y | dict(panel.axis), f"legend{key}": legend | plain}


def _placed(trace: Trace, number: int) -> Trace:
    key = _key(number)
    return {"xaxis": f"x{key}", "yaxis": f"y{key}", "legend": f"legend{key}"} | trace


def _key(number: int) -> str:
    """Plotly counts x, x2, x3."""
    return "" if number == 1 else str(number)


def _title(panel: Panel, top: float) -> dict[str, Any]:
    place = {"xref": "paper", "yref": "paper", "x": 0, "y": top, "xanchor": "left", "yanchor": "bottom"}
    shift = 4 + panel.above - TITLE
    return {"text": f"<b>{panel.title}</b>", "showarrow": False, "font": {"size": LARGE}, "yshift": shift} | place


def _band(span: Span) -> dict[str, Any]:
    place = {"type": "rect", "xref": "x", "yref": "paper", "x0": span[0], "x1": span[1], "y0": 0, "y1": 1}
    return {"fillcolor": "var(--band)", "line": {"width": 0}, "layer": "below"} | place


def _mark(at: float, number: int) -> dict[str, Any]:
    key = _key(number)
    place = {"type": "line", "xref": f"x{key}", "yref": f"y{key} domain", "x0": at, "x1": at, "y0": 0, "y1": 1}
    return {"line": {"color": "var(--ink)", "width": 2, "dash": "dot"}, "layer": "below"} | place
