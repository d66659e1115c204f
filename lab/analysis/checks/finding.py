"""What a check found."""

from dataclasses import dataclass

Value = int | float | bool | None


@dataclass(frozen=True)
class Finding:
    """A value and how it came about.

    `enough` says whether everything that matters was seen. If not, the value is what was seen at least: a
    bound that it breaks is broken, but nothing can pass.
    """

    value: Value
    unit: str
    detail: str
    enough: bool


def nothing(unit: str, why: str) -> Finding:
    """The finding of a check that had nothing to look at."""
    return Finding(None, unit, why, enough=False)


def found(value: Value, unit: str, detail: str, missing: str = "") -> Finding:
    """A finding; `missing` says what was not seen, if that could change it."""
    value = round(value, 3) if isinstance(value, float) else value
    return Finding(value, unit, "; ".join(filter(None, [detail, missing])), enough=not missing)
