"""When visitors come and what for: drawn from rate and seed alone, so that no answer has a say in it.

Arrival n comes at a random moment of the n-th slot of 1/rate seconds. Every second has its `rate` requests, as with
constant spacing, so that two runs load the lab alike; but they fall in step with nothing that has a beat of its own,
like the balancer's checks. Poisson arrivals would be nearer to people, and their clumps and gaps would look like slow
answers and outages of a site this small.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice, pairwise
from random import Random
from typing import Literal, NamedTuple

Kind = Literal["write", "page", "notes", "note"]
READS: tuple[Kind, ...] = ("page", "notes", "note")
# Reading one note tells whether it can be read after its write was acknowledged: as often as the page.
READ_WEIGHTS = (4, 2, 4)


@dataclass(frozen=True)
class Arrival:
    """One visit: seconds after the start, what for, and a number from 0 to 1 that chooses among the known notes."""

    after_s: float
    kind: Kind
    choice: float


class Rate(NamedTuple):
    """From so many seconds after the start on, so many requests a second."""

    after_s: float
    rate: float


def arrivals(rates: Sequence[Rate], write_share: float, seed: int) -> Iterator[Arrival]:
    """All visits, without end; the first of the rates begins at 0, and each holds until the next one."""
    draw = Random(seed)
    for slot, length in _slots(rates):
        after_s = slot + draw.random() * length
        writes = draw.random() < write_share
        read = draw.choices(READS, READ_WEIGHTS)[0]  # drawn also for a write: the share of writes moves no other draw
        yield Arrival(after_s, "write" if writes else read, draw.random())


def _slots(rates: Sequence[Rate]) -> Iterator[tuple[float, float]]:
    """When each slot begins, and its length, in seconds; a rate has as many as fit whole."""
    for (begin, rate), (end, _) in pairwise([*rates, Rate(math.inf, 0)]):
        for number in count():
            slot = begin + number / rate
            if end - slot < 0.5 / rate:
                break
            yield slot, 1 / rate


def share(visits: Iterator[Arrival], position: int, processes: int) -> Iterator[Arrival]:
    """Every n-th of the visits: all processes together make exactly those that one would make."""
    return islice(visits, position, None, processes)
