"""How each algorithm shares requests: real requests, each with the statistics that fit it."""

import sys
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from itertools import pairwise
from math import comb

import pytest

from lab.topology import Lab
from lab.wait import pause
from tests.live.balancer.conftest import Order, shares
from tests.live.conftest import must
from tests.support.kept_connections import visitors
from tests.support.visitors import asked

ROUNDS = 60
# Packets of the slow server come 0.3 s late, and it works on two pages at once.
DELAY_MS, RATE, SENT = 300, 7.0, 140
RARE = 0.001


def two_sided(count: int, number: int) -> float:
    """The exact probability of a share of a half at least as uneven as this: https://en.wikipedia.org/wiki/Binomial_test."""
    far = abs(count - number / 2)
    ways = sum(comb(number, k) for k in range(number + 1) if abs(k - number / 2) >= far)
    return float(ways / 2**number)


def runs(order: list[str]) -> int:
    """How often the server changed from one request to the next."""
    return sum(one != other for one, other in pairwise(order))


def test_round_robin_takes_turns_exactly(served: Order) -> None:
    """Not by chance: the difference is at most one, and no server comes twice in a row."""
    order = served(ROUNDS)
    counted = shares(order)
    assert abs(counted["web1"] - counted["web2"]) <= 1 and runs(order) == ROUNDS - 1


def test_weights_are_shares(served: Order) -> None:
    """Three to one: exact too."""
    must("lb.weight", "web1", "75")
    must("lb.weight", "web2", "25")
    counted = shares(served(ROUNDS))
    assert abs(counted["web1"] - 3 * ROUNDS / 4) <= 1, counted


@pytest.mark.slow
@pytest.mark.parametrize("draws", ["1", "2"])
def test_random_is_fair_only_on_average(served: Order, draws: str) -> None:
    """A coin could have done it, and unlike round robin the same server comes twice in a row."""
    must("lb.algorithm", "random", "--draws", draws)
    order = served(2 * ROUNDS)
    assert two_sided(shares(order)["web1"], len(order)) > RARE, shares(order)
    # Of n - 1 changes round robin makes all, a coin half of them.
    assert two_sided(runs(order), len(order) - 1) > RARE, runs(order)


@pytest.mark.slow
def test_first_uses_the_second_server_only_when_the_first_is_full(served: Order, balanced: Lab) -> None:
    """One request after the other fills no slot; many at once do."""
    must("lb.algorithm", "first")
    assert set(served(20)) == {"web1"}
    with visitors(balanced, 12, every_s=0.01) as seen:
        pause(5)
    assert set(seen.shares(0)) == {"web1", "web2"}, "a full server sends visitors to the next one"


@pytest.mark.slow
def test_a_slow_server_gets_fewer_requests_from_leastconn(balanced: Lab) -> None:
    """Round robin goes on to send it half of them, and its visitors wait."""
    must("fault.inject", "slow", "web2", "--delay-ms", str(DELAY_MS))
    try:
        share = {name: slow_share(balanced, name) for name in ("roundrobin", "random", "leastconn")}
    finally:
        must("fault.heal")
    sys.stderr.write(f"\nshare of the slow server in {SENT} requests each: {share}\n")
    assert abs(share["roundrobin"] - 0.5) <= 0.05 and share["leastconn"] <= 0.30, share
    assert share["leastconn"] < share["random"] < share["roundrobin"], share


def slow_share(lab: Lab, algorithm: str) -> float:
    """The share of web2 in requests that are sent at planned times, whether or not earlier ones were answered."""
    must("lb.algorithm", algorithm)
    with ThreadPoolExecutor(SENT) as pool:
        answers = [pool.submit(later, lab, number / RATE) for number in range(SENT)]
    order = [it.result() for it in answers]
    return shares(order)["web2"] / len(order)


def later(lab: Lab, seconds: float) -> str:
    """Who serves a request that is sent after a while."""
    pause(seconds)
    status, headers, _ = asked(lab, "/")
    assert status == HTTPStatus.OK
    return headers["x-served-by"]
