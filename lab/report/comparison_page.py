"""compare.html: two settings over each other, as one file that opens without internet."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from lab.analysis.compared import Compared
from lab.analysis.compared_rounds import ROUND_S, SIDES, Round, seconds
from lab.analysis.comparison import Difference
from lab.analysis.history import Request
from lab.analysis.metrics import percentiles
from lab.render import render
from lab.report import comparison
from lab.report.fault_phrases import phrase
from lab.report.plot_layout import Panel, Trace, figure
from lab.state.atomic_file import atomic_write

HERE = Path(__file__).parent
FILE = "compare.html"
LOOKS = (("var(--server1)", "solid"), ("var(--failed)", "dash"))  # each setting is recognised without colour too
POSITIVE: Mapping[str, Any] = {"rangemode": "tozero", "nticks": 5}
Value = Callable[[Sequence[tuple[Round, Request]]], float | None]


def write(folder: Path, it: Compared) -> Path:
    """Write the report of a comparison in its folder, and return it."""
    report = folder / FILE
    atomic_write(report, page(it, folder.name))
    return report


def page(it: Compared, name: str) -> str:
    """The page of a comparison; `name` is that of its folder."""
    about = it.about
    faults = [phrase(fault) for fault in about["faults"]]
    return render(
        "comparison.html.j2",
        folder=HERE,
        title=about["title"],
        verdict=comparison.verdict(it),
        labels=[about[side]["label"] for side in SIDES],
        sentences=comparison.sentences(it),
        rows=list(zip(comparison.rows(it), map(_strip, it.differences), strict=True)),
        settings=[
            ("experiment", about["name"]),
            ("rounds", f"{len(it.pairs)} of {about['pairs']} a setting, of {ROUND_S:.0f} s, in pairs in random order"),
            ("broken", f"in each round: {', '.join(faults)}" if faults else "nothing"),
            *((side, _in_force(about["settings"][side])) for side in SIDES),
            ("seed", str(about["seed"])),
            ("code", about["commit"]),
        ],
        name=name,
        figure=figure(list(_panels(it)), (0.0, ROUND_S), (), ()),
        plotly=get_plotlyjs(),
    )


def _in_force(setting: Mapping[str, Any]) -> str:
    """What decided the rounds of a side, named by it or not."""
    weights = "".join(f", weight of {name} {it}" for name, it in setting["weights"].items())
    without = "".join(f", without {it}" for it in setting["without"])
    load = f"{setting['load']['rate']:g} requests a second, {100 * setting['load']['write_share']:.0f} % of them writes"
    how = f"{setting['algorithm']}, {setting['mode']}, persistence {setting['persistence']}{weights}"
    return f"{how}, durability {setting['durability']}{without}; {load}"


def _strip(one: Difference) -> dict[str, Any]:
    """Where each round is drawn, from 0 to 1 between the least and the most of both settings."""
    low, high = min(*one.a, *one.b), max(*one.a, *one.b)
    width = (high - low) or 1.0
    sides = [[round((value - low) / width, 3) for value in values] for values in (one.a, one.b)]
    ends = [comparison.number(it, one.measure.unit) for it in (low, high)]
    return {"sides": sides, "low": ends[0], "high": ends[1]}


def _panels(it: Compared) -> Iterator[Panel]:
    """What was measured in each second of a round, in all rounds of a setting together."""
    keys = {one.key for one in it.measures}
    if "reads-p50" in keys:
        yield _panel(it, "Reads: median, in ms", lambda made: _percentile(made, 50))
        yield _panel(it, "Reads: p95, in ms", lambda made: _percentile(made, 95))
    yield _panel(it, "Answered requests per second", lambda made: _answered(made) / max(1, len(it.pairs)))
    if any(not one.is_answered for made in it.requests.values() for one in made):
        yield _panel(it, "Failed, in percent", lambda made: 100 * (1 - _answered(made) / len(made)) if made else None)
    for name in it.about["servers"][1:]:
        yield _panel(it, f"{name}'s share of answers, in percent", _share(name))


def _panel(it: Compared, title: str, value: Value) -> Panel:
    traces = [_line(it, side, value) for side in range(len(SIDES))]
    return Panel(title, 200, traces, POSITIVE)


def _line(it: Compared, side: int, value: Value) -> Trace:
    bins: dict[int, list[tuple[Round, Request]]] = {second: [] for second in range(int(ROUND_S))}
    for measured, made in it.of(side):
        bins[int(made.intended - measured.zero)].append((measured, made))
    points = [(second + 0.5, found) for second, made in bins.items() if (found := value(made)) is not None]
    colour, dash = LOOKS[side]
    name = SIDES[side]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [at for at, _ in points],
        "y": [round(found, 4) for _, found in points],
        "line": {"color": colour, "width": 4, "dash": dash},
        "hovertemplate": "%{x:.0f} s: %{y:.3g}<extra>" + name + "</extra>",
    }


def _percentile(made: Sequence[tuple[Round, Request]], share: int) -> float | None:
    found = percentiles(seconds((it for _, it in made), "GET"))
    if found is None:
        return None
    return 1000 * (found.p50 if share == 50 else found.p95)


def _answered(made: Sequence[tuple[Round, Request]]) -> int:
    return sum(it.is_answered for _, it in made)


def _share(name: str) -> Value:
    def value(made: Sequence[tuple[Round, Request]]) -> float | None:
        served = [it.served_by for _, it in made if it.is_answered]
        return 100 * served.count(name) / len(served) if served else None

    return value
