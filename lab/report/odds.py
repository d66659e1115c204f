"""How sure a run makes: of none that failed it says how many could fail at most, and how soon faults were noticed."""

from collections.abc import Iterator, Mapping
from typing import Any

CONFIDENCE = "with 95 % confidence"


def odds(summary: Mapping[str, Any]) -> Iterator[str]:
    """A line each, in plain words, of what summary.json says of reads and of detection."""
    found, reads = summary["detection"], summary["reads"]
    if reads["window"]["requests"]:
        times = f"{found['injections']} injection" + ("s" if found["injections"] > 1 else "")
        yield f"{share(reads['window'], 'reads')} before HAProxy noticed, {times}."
    if reads["whole"]["requests"]:
        yield f"{share(reads['whole'], 'reads')} in the whole run."
    if found["seen"] > 1:
        yield noticed(found)


def share(counted: Mapping[str, Any], what: str) -> str:
    """How many failed of how many, and what that proves."""
    words, bound = f"{counted['failed']} of {counted['requests']} {what} failed", counted["share_below"]
    return words if bound is None else f"{words} ({CONFIDENCE} {below(bound)})"


def below(bound: float) -> str:
    """The bound of a true share, in percent."""
    return f"below {100 * bound:.2g} %"


def short(bound: float | None) -> str:
    """The bound as tables have it; '' where there is none, or it is all."""
    return "" if bound is None or bound >= 1 else f" ({below(bound).replace('below', '<')})"


def noticed(found: Mapping[str, Any]) -> str:
    """Median and longest time until HAProxy took the server out."""
    told = f"HAProxy took the server out after {found['median_s']:.2f} s (median), {found['max_s']:.2f} s (longest)"
    missed = f"; {found['missed']} times it was not seen to" if found["missed"] else ""
    return f"{told}, {found['seen']} times; its settings allow {found['bound_s']:g} s{missed}."
