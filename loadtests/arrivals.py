"""When requests start and what they ask for: drawn from rate and seed only, so that no answer can influence them.

Arrival n comes at a random moment of the n-th slot of 1/rate seconds. Every second has `rate` requests, as with
constant spacing, so that two runs load the lab alike; but the requests do not fall into step with anything periodic,
like the balancer's checks. Poisson arrivals would be closer to real visitors, but on a site this small their bursts
and gaps would look like slow answers and outages.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice, pairwise
from random import Random
from typing import Literal, NamedTuple

Kind = Literal["write", "page", "notes", "note"]
READS: tuple[Kind, ...] = ("page", "notes", "note")
# Reading one note shows whether an acknowledged write can be read, so it is as frequent as the page.
READ_WEIGHTS = (4, 2, 4)


@dataclass(frozen=True)
class Arrival:
    """One visit: seconds after the start, kind of request, and a number from 0 to 1 that selects a known note."""

    after_s: float
    kind: Kind
    choice: float


class Rate(NamedTuple):
    """Requests per second, from a number of seconds after the start on."""

    after_s: float
    rate: float


def arrivals(rates: Sequence[Rate], write_share: float, seed: int) -> Iterator[Arrival]:
    """An endless iterator of visits; the first rate begins at 0, and each holds until the next one."""
    draw = Random(seed)
    for slot, length in _slots(rates):
        after_s = slot + draw.random() * length
        writes = draw.random() < write_share
        read = draw.choices(READS, READ_WEIGHTS)[0]  # also for a write: the share of writes shifts no draw
        yield Arrival(after_s, "write" if writes else read, draw.random())


def _slots(rates: Sequence[Rate]) -> Iterator[tuple[float, float]]:
    """The start and length of each slot, in seconds; a rate has as many slots as fit completely."""
    for (begin, rate), (end, _) in pairwise([*rates, Rate(math.inf, 0)]):
        for number in count():
            slot = begin + number / rate
            if end - slot < 0.5 / rate:
                break
            yield slot, 1 / rate


def share(visits: Iterator[Arrival], position: int, processes: int) -> Iterator[Arrival]:
    """Every n-th visit: all processes together make exactly the visits that one process would make."""
    return islice(visits, position, None, processes)
