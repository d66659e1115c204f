"""Balancing by the visitor's address: the same server each time, and only those move whose server is gone.

The addresses are added inside the lab's own network namespace, and removed afterwards: a hundred visitors.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

from host.names import NAMESPACE
from host.private.namespace import FILE
from lab import process
from lab.nodes import route
from lab.topology import Lab
from lab.wait import until
from tests.live.conftest import must

FIRST, LAST = 101, 220
ASKS = """
import http.client, json, sys
target, *addresses = sys.argv[1:]
found = {}
for address in addresses:
    connection = http.client.HTTPConnection(target, timeout=20, source_address=(address, 0))
    connection.request("GET", "/api/notes", headers={"Connection": "close"})
    found[address] = connection.getresponse().headers["X-Served-By"]
    connection.close()
print(json.dumps(found))
"""


def inside(*argv: str, stdin: str | None = None) -> str:
    """Run a command inside the lab's network namespace."""
    return process.run(["ip", "netns", "exec", NAMESPACE, *argv], timeout=120, stdin=stdin).output


@pytest.fixture
def addresses(balanced: Lab) -> Iterator[list[str]]:
    """The visitors' addresses, on the bridge of the lab's network."""
    if not FILE.exists():
        pytest.skip("only the private hypervisor has a network namespace of its own")
    made = [str(balanced.network.network_address + number) for number in range(FIRST, LAST + 1)]
    shown = json.loads(inside("ip", "-json", "route", "get", str(balanced.having("balancer")[0].ip)))
    bridge = shown[0]["dev"]
    orders = "".join(f"address {{}} {it}/32 dev {bridge}\n" for it in made)
    inside("ip", "-batch", "-", stdin=orders.replace("{}", "add"))
    try:
        yield made
    finally:
        inside("ip", "-batch", "-", stdin=orders.replace("{}", "del"))


def asked(lab: Lab, addresses: list[str]) -> Mapping[str, str]:
    """Who serves each of these visitors."""
    target = str(lab.having("balancer")[0].ip)
    route.guard(lab, target)
    answer: dict[str, str] = json.loads(inside(sys.executable, "-c", ASKS, target, *addresses))
    return answer


@pytest.mark.slow
def test_an_address_keeps_its_server_and_only_a_lost_servers_visitors_move(balanced: Lab, addresses: list[str]) -> None:
    """n is the number of addresses: more requests from one address say nothing about the shares."""
    must("lb.algorithm", "source")
    before = asked(balanced, addresses)
    assert asked(balanced, addresses) == before, "each visitor comes back to the same server"
    counted = Counter(before.values())
    assert set(counted) == {"web1", "web2"} and min(counted.values()) >= len(addresses) / 4, counted
    must("fault.inject", "service-stop", "web2", "--service", "nginx")
    try:
        until("web2 is out", lambda: set(asked(balanced, addresses).values()) == {"web1"}, 30)
    finally:
        must("fault.heal")
    until("all are back at their server", lambda: asked(balanced, addresses) == before, 60)
    sys.stderr.write(f"\nof {len(addresses)} addresses: {dict(counted)}\n")
