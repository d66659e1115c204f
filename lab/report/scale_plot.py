"""The plot of experiment.scale as SVG: answers per second and p95 over the rate sent, a line for each result."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.render import render
from lab.report.scale import Results, words

HERE = Path(__file__).parent
LEFT, RIGHT, HEIGHT, MOST_TICKS = 90, 860, 240, 7
TOPS = (110, 440)  # pixels: the upper edge of each panel
DASHES = ("", "10 5", "14 4 3 4", "5 3")  # each line is recognised without colour too
Step = Mapping[str, Any]
Value = Callable[[Step], float | None]


@dataclass(frozen=True)
class Axis:
    """Values from 0 to `top` between two pixels."""

    top: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a value."""
        return round(self.start + (self.end - self.start) * value / self.top, 1)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Round values with their pixels, from 0 on."""
        step = _round_step(self.top)
        values = [number * step for number in range(math.floor(self.top / step + 1e-9) + 1)]
        return [(self.at(value), f"{value:g}") for value in values]


@dataclass(frozen=True)
class Line:
    """A line of the plot: its name, number, dash, and its points (x, y and words)."""

    name: str
    number: int
    dash: str
    points: Sequence[tuple[float, float, str]]


@dataclass(frozen=True)
class Panel:
    """One plot: its title, vertical axis and lines; up to the rate `all_sent` a line shows all that was sent."""

    title: str
    y: Axis
    lines: Sequence[Line]
    all_sent: float = 0.0


def svg(results: Results) -> str:
    """The picture; without results its axes alone."""
    x = Axis(1.05 * _highest(results, lambda step: step["sent_per_s"], 10.0), LEFT, RIGHT)
    return render(
        "scale.svg.j2",
        folder=HERE,
        x=x,
        panels=[_answers(results, x), _times(results, x)],
        names=[(number % len(DASHES), DASHES[number % len(DASHES)], words(it)) for number, it in enumerate(results)],
        limit=results[0]["pages_per_s"] if results else None,
    )


def _answers(results: Results, x: Axis) -> Panel:
    y = _axis(0, 1.15 * _highest(results, lambda step: step["answered_per_s"], 10.0))
    lines = _lines(results, x, y, lambda step: step["answered_per_s"], "{sent:g} sent, {value:.1f} answered per second")
    return Panel("Answered reads per second", y, list(lines), min(x.top, y.top))


def _times(results: Results, x: Axis) -> Panel:
    y = _axis(1, 1.15 * _highest(results, _p95_ms, 1000.0))
    lines = _lines(results, x, y, _p95_ms, "{sent:g} sent per second, p95 {value:.0f} ms")
    return Panel("p95 of the answered reads, in ms", y, list(lines))


def _p95_ms(step: Step) -> float | None:
    return None if step["p95_s"] is None else 1000 * float(step["p95_s"])


def _lines(results: Results, x: Axis, y: Axis, value: Value, text: str) -> Iterator[Line]:
    for number, result in enumerate(results):
        found = [(step["sent_per_s"], it) for step in result["steps"] if (it := value(step)) is not None]
        points = [(x.at(sent), y.at(it), text.format(sent=sent, value=it)) for sent, it in found]
        yield Line(words(result), number % len(DASHES), DASHES[number % len(DASHES)], points)


def _axis(panel: int, top: float) -> Axis:
    return Axis(top, TOPS[panel] + HEIGHT, TOPS[panel])


def _highest(results: Results, value: Value, otherwise: float) -> float:
    found = [it for result in results for step in result["steps"] if (it := value(step))]
    return max(found, default=otherwise)


def _round_step(top: float) -> float:
    """The smallest of 1, 2, 5, 10, 20, ... (and their tenths) with at most MOST_TICKS steps."""
    power = 10.0 ** math.floor(math.log10(top / MOST_TICKS))
    return next(power * it for it in (1, 2, 5, 10) if top / (power * it) <= MOST_TICKS)
