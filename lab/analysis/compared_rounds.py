"""The rounds of a comparison: which setting each had, and what was measured in it."""

import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab.analysis import load_record, metrics, run_folder, timeline
from lab.analysis.history import History, Request
from lab.analysis.timeline import Entry

SIDES = ("a", "b")
ROUND_S = 20.0
FEWEST_WRITES = 5  # expected in a round: the times of fewer say nothing
SHARE = "share-"
FACTOR = {"ms": 1000.0, "%": 100.0, "/s": 1.0}


@dataclass(frozen=True)
class Measure:
    """One number of each round; `unit` is ms, % or /s."""

    key: str
    words: str
    unit: str


@dataclass(frozen=True)
class Round:
    """A round that was measured from `zero` (Unix seconds) for `seconds`; `pair` counts from 1, `side` is a or b.

    `took_s`: with preparing and healing.
    """

    pair: int
    side: str
    zero: float
    seconds: float
    took_s: float

    @property
    def folder(self) -> str:
        """Its folder in that of the comparison."""
        return folder_of(self.pair, self.side)

    def as_data(self) -> dict[str, Any]:
        """As a line of the file."""
        return asdict(self)


def folder_of(pair: int, side: str) -> str:
    """The folder of a round, in that of the comparison."""
    return f"rounds/{pair:02}-{side}"


def order(pairs: int, seed: int) -> list[tuple[int, str]]:
    """All rounds in their order: pairs of one round a setting, whose order is drawn for each pair by the seed."""
    draw = random.Random(seed)
    return [(pair, side) for pair in range(1, pairs + 1) for side in draw.sample(SIDES, 2)]


def measures(servers: Sequence[str], loads: Sequence[tuple[float, float]]) -> list[Measure]:
    """What is compared; `loads`: requests a second and the fraction that writes, of each setting.

    The first server's share is left out: it follows from the others'.
    """
    reads = [Measure("reads-p50", "median of reads", "ms"), Measure("reads-p95", "p95 of reads", "ms")]
    writes = [Measure("writes-p50", "median of writes", "ms"), Measure("writes-p95", "p95 of writes", "ms")]
    answers = [Measure("answered", "answered requests", "/s"), Measure("failed", "failed share", "%")]
    return [
        *(reads if all(share < 1 for _, share in loads) else ()),
        *(writes if all(rate * share * ROUND_S >= FEWEST_WRITES for rate, share in loads) else ()),
        *answers,
        *(Measure(f"{SHARE}{name}", f"{name}'s share of answers", "%") for name in servers[1:]),
    ]


def requests(folder: Path, it: Round, staleness_s: float) -> list[Request]:
    """The requests that were due while a round was measured, in the order they were due.

    A note that is absent longer than `staleness_s` after it was acknowledged is a failed read.
    """
    entries = [timeline.entry(data) for data in load_record.merge(folder / it.folder / run_folder.RECORD)]
    entries.append(Entry(it.zero, "lab", "run", {"staleness_s": staleness_s}))
    return [found for found in History(entries).requests if 0 <= found.intended - it.zero < it.seconds]


def values(it: Round, made: Sequence[Request], wanted: Iterable[Measure]) -> dict[str, float]:
    """Each measure of a round in its unit; NaN where nothing was measured."""
    known = {**_times(made), **_answers(it, made)}
    shares = {one.served_by for one in made if one.is_answered}
    absent = 0.0 if shares else math.nan  # a server that gave no answer has no share
    return {
        one.key: known.get(one.key, absent if one.key.startswith(SHARE) else math.nan) * FACTOR[one.unit]
        for one in wanted
    }


def seconds(made: Iterable[Request], method: str) -> list[float]:
    """How long the answered requests took, since each was due; a failure that comes fast is no fast answer."""
    return [it.ended - it.intended for it in made if it.is_answered and it.ended is not None and it.method == method]


def _times(made: Sequence[Request]) -> dict[str, float]:
    found: dict[str, float] = {}
    for method, name in (("GET", "reads"), ("POST", "writes")):
        times = metrics.percentiles(seconds(made, method))
        found |= {f"{name}-p50": times.p50, f"{name}-p95": times.p95} if times else {}
    return found


def _answers(it: Round, made: Sequence[Request]) -> dict[str, float]:
    if not made:
        return {}
    served = Counter(one.served_by for one in made if one.is_answered)
    shares = {f"{SHARE}{name}": count / served.total() for name, count in served.items()}
    return {"answered": served.total() / it.seconds, "failed": 1 - served.total() / len(made), **shares}
