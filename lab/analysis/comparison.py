"""Whether two settings differ by more than noise: a test on pairs of rounds.

The unit is the round, as the requests of one round are not independent of each other. The order of the two rounds of a
pair is drawn by chance. So if the settings do not differ, each difference is as likely to have the other sign, whatever
the noise and its drift are; this is all that the signed-rank test by permutation needs.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.analysis.compared_rounds import Measure

if TYPE_CHECKING:  # scipy takes a second to import: the functions that use it import it
    import numpy as np

LEVEL = 0.05
TEST = "Wilcoxon signed-rank test, exact"
CORRECTION = "Holm"
RESAMPLES = 2**14  # up to 14 pairs all signs are tried; of more pairs so many are drawn


@dataclass(frozen=True)
class Difference:
    """One measure of both settings. `a`, `b`: medians over the rounds; `b_minus_a`: of the pairs (Hodges-Lehmann).

    `low`, `high`: its 95 % interval, None with fewer than six pairs; `p`: corrected for the number of measures.
    """

    measure: Measure
    a: tuple[float, ...]
    b: tuple[float, ...]
    b_minus_a: float
    low: float | None
    high: float | None
    p: float

    @property
    def differs(self) -> bool:
        """Whether it is more than noise."""
        return self.p <= LEVEL


def most_measures(servers: int) -> int:
    """How many measures a comparison has at most."""
    return 6 + servers - 1


def fewest_pairs(measures: int) -> int:
    """The number of pairs below which even a difference of the same sign in all pairs is called noise."""
    return math.ceil(math.log2(2 * measures / LEVEL))


def differences(
    rounds: Sequence[tuple[Mapping[str, float], Mapping[str, float]]], measures: Sequence[Measure]
) -> list[Difference]:
    """Compare complete pairs of rounds, each given as the values of a and of b by measure; NaN leaves a pair out."""
    found = [_one([(a[it.key], b[it.key]) for a, b in rounds], it) for it in measures]
    return corrected([it for it in found if it.a])


def corrected(found: Sequence[Difference]) -> list[Difference]:
    """Multiply each p by the number of measures that are no clearer, at least by as much as a clearer one (Holm 1979).

    Then the chance that any measure is called different is 5 % at most where none is.
    """
    ordered = sorted(found, key=lambda it: it.p)
    largest, new = 0.0, {}
    for number, it in enumerate(ordered):
        largest = max(largest, min(1.0, it.p * (len(ordered) - number)))
        new[it.measure.key] = largest
    return [Difference(it.measure, it.a, it.b, it.b_minus_a, it.low, it.high, new[it.measure.key]) for it in found]


def _one(pairs: Sequence[tuple[float, float]], measure: Measure) -> Difference:
    import numpy as np

    known = [(a, b) for a, b in pairs if not (math.isnan(a) or math.isnan(b))]
    a, b = tuple(it for it, _ in known), tuple(it for _, it in known)
    if not known:
        return Difference(measure, a, b, math.nan, None, None, 1.0)
    changes = np.round(np.array(b) - np.array(a), 9)  # equal differences are equal, whatever they were computed from
    middle, low, high = _interval(changes)
    return Difference(measure, a, b, middle, low, high, _p(changes))


def _p(changes: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> float:
    """The two-sided p of the signed-rank test; zeros are left out (Wilcoxon 1945)."""
    import numpy as np
    from scipy import stats

    left = changes[changes != 0]
    if not left.size:
        return 1.0
    sizes = np.abs(left)
    if np.unique(sizes).size == left.size:  # no ties
        return float(stats.wilcoxon(left, method="exact").pvalue)
    ranks = np.sign(left) * stats.rankdata(sizes)
    tried = stats.permutation_test(
        (ranks,),
        lambda it, axis: it.sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(1),
    )
    return float(tried.pvalue)


def _interval(changes: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> tuple[float, float | None, float | None]:
    """The Hodges-Lehmann estimate and its 95 % interval: the shifts that the signed-rank test does not reject.

    https://doi.org/10.1214/aoms/1177704172, and Hollander, Wolfe: Nonparametric Statistical Methods, 3.3.
    """
    import numpy as np

    first, second = np.triu_indices(changes.size)
    means = np.sort((changes[first] + changes[second]) / 2)
    ways = np.ones(1)  # how many choices of signs give each rank sum
    for rank in range(1, changes.size + 1):
        ways = np.convolve(ways, [1, *[0] * (rank - 1), 1])
    below = np.cumsum(ways) / 2**changes.size
    cut = int(np.searchsorted(below, LEVEL / 2, side="right"))  # the cut-th mean of each side is an end
    middle = float(np.median(means))
    return (middle, float(means[cut - 1]), float(means[-cut])) if cut else (middle, None, None)
