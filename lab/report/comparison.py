"""A comparison in words: whether the settings differ by more than noise, and each measure of both."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from lab.analysis.compared import Compared
from lab.analysis.comparison import LEVEL, Difference

TEST = "Wilcoxon signed-rank test on pairs of rounds"
ASSUMES = (
    "The test assumes that the order of the two rounds of each pair was drawn by chance, which it was, and that a "
    "round does not change the next one. Drift and outliers do no harm. Of comparisons of equal settings at most "
    f"{LEVEL:.0%} find a difference."
).replace("%", " %")
INTERVALS = "The interval of each measure is for this measure alone; whether it differs is corrected for all of them."
HEAD = ("", "a", "b", "b - a", "95 % interval", "p", "")
LEAD = "reads-p95"
SMALLEST_P = 0.001  # of those that are shown as a number


def number(value: float, unit: str) -> str:
    """A value with its unit."""
    digits = {"%": 1, "/s": 2}.get(unit, 0 if abs(value) >= 10 else 1)
    return f"{value:.{digits}f} {unit}"


def sentences(it: Compared) -> list[str]:
    """The verdict in one sentence, then what else to know."""
    if not it.is_complete:
        done = f"{len(it.pairs)} of {it.about['pairs']} pairs of rounds are complete"
        return [f"Not decided yet: {done}. The same command goes on where it stopped."]
    clear = sorted((one for one in it.differences if one.differs), key=lambda one: one.p)
    if not clear:
        return [_noise(it), ASSUMES, INTERVALS]
    others = [f"Also more than noise: {', '.join(map(_plain, clear[1:]))}."] if clear[1:] else []
    return [_differs(it, clear[0]), *others, ASSUMES, INTERVALS]


def verdict(it: Compared) -> str:
    """One word or two."""
    if not it.is_complete:
        return "not decided yet"
    return "differs" if any(one.differs for one in it.differences) else "no difference seen"


def _differs(it: Compared, one: Difference) -> str:
    a, b = (it.about[side]["label"] for side in ("a", "b"))
    how = f"95 % interval {_interval(one)}, {len(one.a)} rounds each"
    the = "" if "'s " in one.measure.words else "the "
    return f"With {b} {the}{_plain(one)} than with {a} ({how}): more than noise ({_test(it)}, p {_is(one.p)})."


def _plain(one: Difference) -> str:
    way = "lower" if one.b_minus_a < 0 else "higher"
    return f"{one.measure.words} is {_size(abs(one.b_minus_a), one.measure.unit)} {way}"


def _size(value: float, unit: str) -> str:
    """A difference: that of two percentages is in percentage points."""
    return number(value, unit).replace("%", "points")


def _interval(one: Difference) -> str:
    """The sizes of the difference that fit, in its direction."""
    ends = sorted(abs(it or 0.0) for it in (one.low, one.high))
    return f"{_size(ends[0], one.measure.unit).partition(' ')[0]} to {_size(ends[1], one.measure.unit)}"


def _noise(it: Compared) -> str:
    smallest = min((one.p for one in it.differences), default=1.0)
    rounds = f"{len(it.pairs)} rounds each"
    said = f"No measure differs by more than noise ({_test(it)}, smallest p {_is(smallest)}, {rounds})"
    lead = next((one for one in it.differences if one.measure.key == LEAD), None) or next(iter(it.differences), None)
    if lead is None or lead.low is None or lead.high is None:
        return f"{said}."
    least = _size(max(abs(lead.low), abs(lead.high)), lead.measure.unit)
    return f"{said}; a difference of less than {least} in the {lead.measure.words} could not have been seen."


def _test(it: Compared) -> str:
    return f"{TEST}, Holm's correction for {len(it.differences)} measures"


def _p(value: float) -> str:
    if value < SMALLEST_P:
        return f"< {SMALLEST_P}"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def _is(value: float) -> str:
    return _p(value) if value < SMALLEST_P else f"= {_p(value)}"


@dataclass(frozen=True)
class Row:
    """A measure of both settings as text; each side is the median of its rounds, and the least to the most."""

    words: str
    a: tuple[str, str]
    b: tuple[str, str]
    b_minus_a: str
    interval: str
    p: str
    verdict: str


def rows(it: Compared) -> list[Row]:
    """Each measure as text; its p and verdict only if the comparison is complete."""
    return [_row(one, it.is_complete) for one in it.differences]


def _row(one: Difference, decided: bool) -> Row:
    unit, known = one.measure.unit, one.low is not None and one.high is not None
    ends = f"{_signed(one.low or 0.0, unit).partition(' ')[0]} to {_signed(one.high or 0.0, unit)}"
    return Row(
        one.measure.words,
        _spread(one.a, unit),
        _spread(one.b, unit),
        _signed(one.b_minus_a, unit),
        ends if known else "-",
        _p(one.p) if decided else "-",
        ("differs" if one.differs else "noise") if decided else "",
    )


def _spread(values: Sequence[float], unit: str) -> tuple[str, str]:
    """The median of the rounds; the least and the most."""
    low, high = (number(it, unit).partition(" ")[0] for it in (min(values), max(values)))
    return number(median(values), unit), f"{low} to {high}"


def _signed(value: float, unit: str) -> str:
    return f"{'+' if value > 0 else ''}{_size(value, unit)}"


def _cells(it: Row) -> tuple[str, ...]:
    sides = (f"{middle} ({ends})" for middle, ends in (it.a, it.b))
    return (it.words, *sides, it.b_minus_a, it.interval, it.p, it.verdict)


def terminal(it: Compared) -> str:
    """Verdict, settings, and the table, as plain text."""
    about = it.about
    head = [f"{verdict(it).upper()}  {about['title']}", *(f"{side}  {about[side]['label']}" for side in ("a", "b"))]
    lines = [HEAD, *map(_cells, rows(it))] if it.differences else []
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))] if lines else []
    table = ["  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([*head, "", *sentences(it), "", *table])
