"""How sure a run makes: of injections that did no harm it says how many could, and how soon faults were noticed."""

from collections.abc import Iterator, Mapping
from typing import Any

CONFIDENCE = "with 95 % confidence"


def confidence(summary: Mapping[str, Any]) -> Iterator[str]:
    """A line each, in plain words, of what summary.json says of reads and of detection."""
    found, reads = summary["detection"], summary["reads"]
    if reads["window"]["requests"]:
        yield f"Before HAProxy noticed, {share(reads['window'])}{proves(reads['window'], 'a read that failed then')}."
    if reads["whole"]["requests"]:
        yield f"In the whole run, {share(reads['whole'])}{proves(reads['whole'], 'a failed read')}."
    if found["seen"] > 1:
        yield noticed(found)


def share(counted: Mapping[str, Any]) -> str:
    """How many reads failed of how many."""
    return f"{counted['failed']} of {counted['requests']} reads failed"


def proves(counted: Mapping[str, Any], harm: str) -> str:
    """How many injections did harm, and, where none did, how many of them could; '' without an injection."""
    times, bound = counted["injections"], counted["share_below"]
    if not times:
        return ""
    if bound is None and times == 1:
        return f". The one injection {'had' if counted['injections_hit'] else 'did not have'} {harm}"
    if bound is None:
        return f". {counted['injections_hit']} of {_injections(times)} had {harm}"
    none = "The one injection did not have" if times == 1 else f"None of {_injections(times)} had"
    return f". {none} {harm}: {CONFIDENCE}, fewer than {100 * bound:.2g} % of injections have one"


def _injections(times: int) -> str:
    return f"{times} injection" + ("s" if times > 1 else "")


def short(bound: float | None) -> str:
    """The bound as tables have it; '' where there is none."""
    return "" if bound is None else f" (< {100 * bound:.2g} %)"


def noticed(found: Mapping[str, Any]) -> str:
    """Median and longest time until HAProxy took the server out."""
    text = f"HAProxy took the server out after {found['median_s']:.2f} s (median), {found['max_s']:.2f} s (longest)"
    missed = f"; {found['missed']} times it was not seen to" if found["missed"] else ""
    return f"{text}, {found['seen']} times; its settings allow {found['bound_s']:g} s{missed}."
