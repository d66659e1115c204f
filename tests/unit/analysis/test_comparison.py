"""Two settings are called different when they are, and in at most one of twenty comparisons when they are not."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from lab.analysis import comparison_folder
from lab.analysis.compared import Compared
from lab.analysis.compared_rounds import Measure, Round, measures, order, values
from lab.analysis.comparison import LEVEL, corrected, differences, fewest_pairs, most_measures
from lab.analysis.history import History, Request
from lab.errors import BadInput
from tests.support.comparisons import alike, avoids_web2, made
from tests.support.timelines import T0, failed, request, write

PAIRS, COMPARISONS, RARE = 12, 400, 1e-3
MEASURES = measures(["web1", "web2"], [(10, 0.06), (10, 0.06)])
Rounds = list[tuple[dict[str, float], dict[str, float]]]


def simulated(draw: np.random.Generator, seed: int, faster: float = 1.0) -> Rounds:
    """Rounds on a machine that drifts, has bad moments of ten times the latency, and fails a request now and then.

    `faster`: the factor between the latencies of a and of b.
    """
    speed = np.exp(np.cumsum(draw.normal(0.02, 0.08, 2 * PAIRS)))  # a random walk that tends to get slower
    found: dict[tuple[int, str], dict[str, float]] = {}
    for (pair, side), drift in zip(order(PAIRS, seed), speed, strict=True):
        bad = 10 if draw.random() < 0.06 else 1
        slower = drift * (faster if side == "b" else 1)
        lost = draw.poisson(3 if bad > 1 else 0.02)
        found[pair, side] = {
            "reads-p50": 30 * slower * draw.lognormal(0, 0.1),
            "reads-p95": 90 * slower * bad * draw.lognormal(0, 0.3),
            "writes-p50": 60 * slower * draw.lognormal(0, 0.3),
            "writes-p95": 150 * slower * bad * draw.lognormal(0, 0.6),
            "answered": (200 - lost) / 20,
            "failed": 100 * lost / 200,
            "share-web2": 50 + draw.integers(-1, 2) / 2,
        }
    return [(found[pair, "a"], found[pair, "b"]) for pair in range(1, PAIRS + 1)]


def test_settings_that_do_not_differ_are_called_different_in_at_most_five_percent() -> None:
    """Any of the measures of a comparison; were it more often, so many here would be a rare chance."""
    draw = np.random.default_rng(1)
    rounds = [simulated(draw, seed) for seed in range(COMPARISONS)]
    wrong = sum(any(it.differs for it in differences(one, MEASURES)) for one in rounds)
    assert stats.binomtest(wrong, COMPARISONS, LEVEL, alternative="greater").pvalue > RARE, wrong


def test_without_the_correction_too_many_would_be() -> None:
    """The test above would notice it: seven measures, each wrong in up to one of twenty."""
    draw = np.random.default_rng(1)
    rounds = [simulated(draw, seed) for seed in range(COMPARISONS)]
    wrong = sum(any(it.differs for one in MEASURES for it in differences(pair, [one])) for pair in rounds[:300])
    assert stats.binomtest(wrong, 300, LEVEL, alternative="greater").pvalue < RARE, wrong


def test_a_setting_that_is_a_third_faster_is_found_most_times() -> None:
    """In spite of the drift, and the 95 % intervals hold what is true."""
    draw = np.random.default_rng(2)
    found = [differences(simulated(draw, seed, faster=0.67), MEASURES)[0] for seed in range(60)]
    assert sum(it.differs and it.b_minus_a < 0 for it in found) >= 54


def test_the_interval_of_a_difference_holds_it() -> None:
    """In 95 % of comparisons, with heavy tails too."""
    draw = np.random.default_rng(3)
    measure = Measure("x", "x", "ms")
    held = 0
    for _ in range(COMPARISONS):
        pairs = [({"x": 0.0}, {"x": float(it)}) for it in 5 + draw.standard_t(2, PAIRS)]
        (one,) = differences(pairs, [measure])
        held += one.low is not None and one.high is not None and one.low <= 5 <= one.high
    assert stats.binomtest(held, COMPARISONS, 0.95).pvalue > RARE, held


@pytest.mark.parametrize("pairs", [6, 7, 9, 12])
def test_the_interval_has_the_shifts_that_the_test_does_not_reject(pairs: int) -> None:
    """A shift just inside is not rejected at 5 %, one just outside is."""
    changes = np.random.default_rng(pairs).normal(5, 2, pairs).round(3)
    (one,) = differences([({"x": 0.0}, {"x": float(it)}) for it in changes], [Measure("x", "x", "ms")])
    assert one.low is not None and one.high is not None
    for end, outside in ((one.low, -1e-4), (one.high, 1e-4)):
        inside_p, outside_p = (stats.wilcoxon(changes - end + it).pvalue for it in (outside, -outside))
        assert outside_p <= LEVEL < inside_p


def test_fewer_pairs_than_the_least_can_never_differ() -> None:
    """With the least they can, if all differences have one sign."""
    most = most_measures(servers=2)
    assert most == len(MEASURES)
    for pairs, differs in ((fewest_pairs(most) - 1, False), (fewest_pairs(most), True)):
        rounds = [({it.key: 1.0 for it in MEASURES}, {it.key: 2.0 + pair for it in MEASURES}) for pair in range(pairs)]
        assert any(it.differs for it in differences(rounds, MEASURES)) is differs


def test_the_correction_is_that_of_holm() -> None:
    """Holm 1979: the smallest p times the number of measures, the next one times one less, and never out of order."""
    (one,) = differences([({"x": 0.0}, {"x": 1.0})], [Measure("x", "x", "ms")])
    ps = {"reads-p50": 0.01, "reads-p95": 0.04, "answered": 0.03, "failed": 0.005}
    chosen = [it for it in MEASURES if it.key in ps]
    given = [type(one)(it, (), (), 0.0, None, None, ps[it.key]) for it in chosen]
    assert [it.p for it in corrected(given)] == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_the_two_rounds_of_a_pair_follow_each_other_in_an_order_drawn_by_the_seed() -> None:
    """Each order comes up, and the same seed draws the same."""
    drawn = order(PAIRS, 1)
    assert drawn == order(PAIRS, 1) != order(PAIRS, 2)
    pairs = [tuple(drawn[place : place + 2]) for place in range(0, 2 * PAIRS, 2)]
    assert {tuple(side for _, side in pair) for pair in pairs} == {("a", "b"), ("b", "a")}
    assert [pair[0][0] for pair in pairs] == [pair[1][0] for pair in pairs] == list(range(1, PAIRS + 1))


def requests(*entries: object) -> list[Request]:
    """Entries as requests."""
    return History(entries).requests  # type: ignore[arg-type]


def test_what_is_measured_in_a_round() -> None:
    """Times are of answered requests, from when they were due: a failure is not fast."""
    made_ = [request(at, ended=T0 + at + 0.1 * at, served_by="web1" if at < 4 else "web2") for at in range(1, 6)]
    made_ += [failed(6, served_by=""), write(7, "t", "unknown", ended=None, served_by="")]
    found = values(Round(1, "a", T0, 20.0, 40.0), requests(*made_), MEASURES)
    assert found["reads-p50"] == pytest.approx(300, rel=1e-4) and found["reads-p95"] == pytest.approx(500, rel=1e-4)
    assert math.isnan(found["writes-p50"])
    assert found["answered"] == 5 / 20 and found["failed"] == pytest.approx(200 / 7)
    assert found["share-web2"] == pytest.approx(40)


def test_a_server_that_answered_nothing_has_no_share_and_nothing_is_known_without_answers() -> None:
    """Zero is a value, no answer at all is none."""
    one = Round(1, "a", T0, 20.0, 40.0)
    assert values(one, requests(request(1, served_by="web1")), MEASURES)["share-web2"] == 0
    none = values(one, [], MEASURES)
    assert all(map(math.isnan, none.values())) and len(none) == len(MEASURES)


def test_what_a_load_does_not_send_is_not_compared() -> None:
    """Nor writes that are too few to have a median in each round."""
    assert [it.key for it in measures(["web1"], [(10, 0), (10, 0.06)])] == [
        "reads-p50",
        "reads-p95",
        "answered",
        "failed",
    ]
    assert [it.key for it in measures(["web1", "web2"], [(10, 1.0), (10, 1.0)])] == [
        "writes-p50",
        "writes-p95",
        "answered",
        "failed",
        "share-web2",
    ]


def test_a_comparison_is_read_from_its_folder(tmp_path: Path) -> None:
    """Requests of the warm-up do not count, and a round whose partner is missing waits for it."""
    found = Compared.read(made(tmp_path, PAIRS, 2 * PAIRS, avoids_web2, share_b=0.2))
    assert found.is_complete and {len(it) for it in found.requests.values()} == {200}
    by_key = {it.measure.key: it for it in found.differences}
    assert by_key["share-web2"].differs and by_key["share-web2"].b_minus_a < -20 and by_key["reads-p50"].differs
    part = Compared.read(made(tmp_path / "other", PAIRS, 5, alike))
    assert not part.is_complete and len(part.pairs) == 2


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    """With what to do."""
    path = made(tmp_path, PAIRS, 1, alike)
    (path / comparison_folder.ROUNDS).write_text('{"pair": 1}\n', encoding="utf-8")
    with pytest.raises(BadInput, match="is damaged"):
        Compared.read(path)
