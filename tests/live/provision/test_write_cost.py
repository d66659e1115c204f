"""What a safe write costs: the wait for the replica, and the query whether it confirmed; the same writes in pairs."""

import http.client
import json
import secrets
import statistics
import time
from collections.abc import Iterator

import pytest

from lab import progress
from lab.nodes import route, site
from lab.nodes.ssh import Machine
from lab.state import choices
from lab.topology import Lab
from tests.live.conftest import must

pytestmark = [pytest.mark.live, pytest.mark.slow]
PAIRS, WRITES = 5, 20
ORDER = ("async", "durable")


@pytest.fixture
def chosen(healthy: Lab) -> Iterator[Lab]:
    """The lab; the durability chosen before the test is restored after it."""
    before = choices.load().durability
    yield healthy
    must("db.durability", str(before))


def write(visitor: http.client.HTTPConnection, lab: Lab) -> float:
    """How many milliseconds a new note takes; it must be acknowledged."""
    note = json.dumps({"token": secrets.token_hex(8), "body": "what does it cost?"})
    start = time.monotonic()
    visitor.request("POST", "/api/notes", note, {"Host": lab.site, "Content-Type": "application/json"})
    answer = visitor.getresponse()
    text = answer.read()
    took = 1000 * (time.monotonic() - start)
    assert answer.status == 201, text
    return took


def asks(machines: dict[str, Machine], confirms: bool) -> None:
    """Set on both servers whether the site asks for the confirmation after COMMIT."""
    change = f"s/'confirms' => [a-z]*/'confirms' => {str(confirms).lower()}/"
    for name in ("web1", "web2"):
        machines[name].run(f'sed -i "{change}" /etc/weblab/site.php && systemctl reload "php*-fpm"')


def typical_ms(lab: Lab) -> float:
    """The median of one visitor's writes through the balancer, one after the other."""
    address = str(lab.having("balancer")[0].ip)
    route.guard(lab, address)
    visitor = http.client.HTTPConnection(address, timeout=site.WRITE_S)
    try:
        return statistics.median(write(visitor, lab) for _ in range(WRITES))
    finally:
        visitor.close()


def test_a_durable_write_costs_at_most_ten_asynchronous_ones(chosen: Lab) -> None:
    """Measured in pairs in alternating order, so that the machine's noise affects both."""
    ratios = []
    for number in range(PAIRS):
        took = {}
        for name in ORDER if number % 2 == 0 else ORDER[::-1]:
            must("db.durability", name)
            took[name] = typical_ms(chosen)
        ratios.append(took["durable"] / took["async"])
        figures = f"{took['durable']:.0f} ms durable, {took['async']:.0f} ms async, {ratios[-1]:.2f} times"
        progress.say("site", f"pair {number + 1}: {figures}")
    progress.say("site", f"median: a durable write takes {statistics.median(ratios):.2f} times an asynchronous one")
    assert 1 <= statistics.median(ratios) <= 10, ratios


def test_to_ask_for_the_confirmation_costs_little(chosen: Lab, machines: dict[str, Machine]) -> None:
    """Durable writes with and without the query, in pairs in alternating order."""
    ratios = []
    try:
        for number in range(PAIRS):
            took = {}
            for confirms in (True, False) if number % 2 == 0 else (False, True):
                asks(machines, confirms)
                took[confirms] = typical_ms(chosen)
            ratios.append(took[True] / took[False])
            figures = f"{took[True]:.0f} ms with, {took[False]:.0f} ms without, {ratios[-1]:.2f} times"
            progress.say("site", f"pair {number + 1}: {figures}")
    finally:
        asks(machines, True)
    progress.say("site", f"median: the question makes a write {statistics.median(ratios):.2f} times as long")
    assert statistics.median(ratios) <= 2, ratios
