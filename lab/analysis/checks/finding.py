"""The result of a check, before it is compared with a bound."""

from dataclasses import dataclass

Value = int | float | bool | None


@dataclass(frozen=True)
class Finding:
    """A value and its explanation.

    `enough`: whether everything that matters was observed. If not, the value is a minimum: it can break a bound, but
    no bound can pass.
    """

    value: Value
    unit: str
    detail: str
    enough: bool


def nothing(unit: str, why: str) -> Finding:
    """The finding of a check that had no data."""
    return Finding(None, unit, why, enough=False)


def found(value: Value, unit: str, detail: str, missing: str = "") -> Finding:
    """A finding; `missing` says what was not observed, if that could change it."""
    value = round(value, 3) if isinstance(value, float) else value
    return Finding(value, unit, "; ".join(filter(None, [detail, missing])), enough=not missing)
