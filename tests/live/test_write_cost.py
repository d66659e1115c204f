"""What it costs to wait for the replica: the same writes durable and asynchronous, in pairs."""

import http.client
import json
import secrets
import statistics
import time
from collections.abc import Iterator

import pytest

from lab import choices, progress, route, site
from lab.topology import Lab
from tests.live.conftest import must

pytestmark = [pytest.mark.live, pytest.mark.slow]
PAIRS, WRITES = 5, 20
ORDER = ("async", "durable")


@pytest.fixture
def chosen(healthy: Lab) -> Iterator[Lab]:
    """The lab with the durability that was chosen before, whatever the test chose."""
    before = choices.load().get("durability", "durable")
    yield healthy
    must("db.durability", str(before))


def write(visitor: http.client.HTTPConnection, lab: Lab) -> float:
    """How many milliseconds a new note takes; only one that is acknowledged counts."""
    note = json.dumps({"token": secrets.token_hex(8), "body": "what does it cost?"})
    start = time.monotonic()
    visitor.request("POST", "/api/notes", note, {"Host": lab.site, "Content-Type": "application/json"})
    answer = visitor.getresponse()
    text = answer.read()
    took = 1000 * (time.monotonic() - start)
    assert answer.status == 201, text
    return took


def typical_ms(lab: Lab, durability: str) -> float:
    """The median of one visitor's writes through the balancer, one after the other."""
    must("db.durability", durability)
    address = str(lab.having("balancer")[0].ip)
    route.guard(lab, address)
    visitor = http.client.HTTPConnection(address, timeout=site.WRITE_S)
    try:
        return statistics.median(write(visitor, lab) for _ in range(WRITES))
    finally:
        visitor.close()


def test_a_durable_write_costs_at_most_ten_asynchronous_ones(chosen: Lab) -> None:
    """Measured in pairs, each in the other order than the one before: the machine's own noise hits both."""
    ratios = []
    for number in range(PAIRS):
        took = {name: typical_ms(chosen, name) for name in (ORDER if number % 2 == 0 else ORDER[::-1])}
        ratios.append(took["durable"] / took["async"])
        figures = f"{took['durable']:.0f} ms durable, {took['async']:.0f} ms async, {ratios[-1]:.2f} times"
        progress.say("site", f"pair {number + 1}: {figures}")
    progress.say("site", f"median: a durable write takes {statistics.median(ratios):.2f} times an asynchronous one")
    assert 1 <= statistics.median(ratios) <= 10, ratios
