"""What a user predicts before a measurement: for each component, what fails while it is dead."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from lab.analysis.spof import WHAT
from lab.errors import BadInput, did_you_mean

NOTHING, EVERYTHING = "none", "all"
WORDS = (*WHAT, NOTHING, EVERYTHING)
EXAMPLE = '--predict "web1=writes lb1=reads,writes,names web2=none"'
Predictions = dict[str, list[str]]


def parse(text: str, known: Iterable[str], measured: Iterable[str]) -> Predictions:
    """Read `web1=writes lb1=all web2=none`; raises BadInput that lists every mistake.

    A component that is `measured` already, or was begun to be, can't be predicted any more.
    """
    names, done = list(known), set(measured)
    found: Predictions = {}
    mistakes: list[str] = []
    for word in text.split():
        name, _, failing = word.partition("=")
        mistakes += _mistakes(word, name, names, done)
        mistakes += [f"{word}: {it}" for it in wrong(failing)]
        mistakes += [f"{word}: {name} is named twice"] if name in found else []
        found[name] = failing_of(failing)
    if mistakes:
        raise BadInput.listing("this is not a prediction", mistakes, hint=f"say what fails: {EXAMPLE}")
    return found


def failing_of(answer: str) -> list[str]:
    """The parts of WHAT that an answer names, in their order: 'writes,reads', 'all', or 'none'."""
    words = _words(answer)
    return [it for it in WHAT if it in words or EVERYTHING in words]


def wrong(answer: str) -> list[str]:
    """The mistakes of an answer, in words."""
    words = _words(answer)
    unknown = [f"{it!r} is not one of what can fail; {did_you_mean(it, WORDS)}" for it in words if it not in WORDS]
    if not words:
        return [f"say what fails: {', '.join(WORDS)}"]
    return unknown or ([f"{NOTHING} stands alone"] if NOTHING in words and len(words) > 1 else [])


def right(predicted: Sequence[str] | None, measured: Mapping[str, bool | None]) -> dict[str, bool]:
    """For each of WHAT that was measured, whether the prediction was right; empty without a prediction."""
    if predicted is None:
        return {}
    return {what: (what in predicted) == failed for what, failed in measured.items() if failed is not None}


def _words(answer: str) -> list[str]:
    return re.findall(r"[^\s,]+", answer)


def _mistakes(word: str, name: str, names: Sequence[str], done: set[str]) -> Iterator[str]:
    if name not in names:
        yield f"{word}: {name!r} is not a component; {did_you_mean(name, names)}"
    elif name in done:
        yield f"{word}: {name} was measured, or begun to be; begin anew: invoke experiment.spof --again"
