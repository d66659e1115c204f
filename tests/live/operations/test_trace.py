"""invoke lab.trace on the real lab: each layer is broken once, and blamed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.nodes.ssh import Machine
from lab.topology import Lab
from lab.wait import until
from tests.live.conftest import invoke, must


def blamed() -> dict[str, str] | None:
    """The first layer that fails, as the command tells it."""
    done = invoke("lab.trace", "--json")
    found: dict[str, str] | None = json.loads(done.stdout)["failed"]
    assert done.returncode == (1 if found else 0), done.stderr
    return found


@contextmanager
def stopped(service: str, node: str) -> Iterator[None]:
    """A service is stopped while the block lasts."""
    must("fault.inject", "service-stop", node, "--service", service)
    try:
        yield
    finally:
        must("fault.heal")


def test_every_layer_of_the_healthy_lab_answers(healthy: Lab) -> None:
    """With its own time: the database is a part of PHP's, PHP of the balancer's."""
    answer = json.loads(must("lab.trace", "--json"))
    assert answer["failed"] is None
    times = [hop["ms"] for hop in answer["hops"]]
    assert len(times) == 8 and all(0 < ms < 2000 for ms in times), answer


@pytest.mark.parametrize(
    ("layer", "service", "node"),
    [
        pytest.param("balancer", "haproxy", "lb1", marks=pytest.mark.slow),
        pytest.param("nginx", "nginx", "web2", marks=pytest.mark.slow),
        ("php", "php-fpm", "web2"),
        pytest.param("database", "mysql", "web2", marks=pytest.mark.slow),
    ],
)
def test_a_layer_that_is_stopped_is_blamed(healthy: Lab, layer: str, service: str, node: str) -> None:
    """Although visitors of the site see nothing of most of them."""
    with stopped(service, node):
        assert blamed() == {"layer": layer, "node": node}
    until("every layer answers again", lambda: blamed() is None, 60)


def test_a_name_server_that_is_stopped_is_blamed(healthy: Lab, machines: dict[str, Machine]) -> None:
    """Visitors who know the address see nothing of it."""
    machines["lb1"].run("systemctl stop dnsmasq", title="stops dnsmasq")
    try:
        assert blamed() == {"layer": "name", "node": "lb1"}
    finally:
        machines["lb1"].run("systemctl start dnsmasq", title="starts dnsmasq")
    assert blamed() is None
