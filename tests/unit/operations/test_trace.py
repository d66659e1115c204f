"""The way of a request: each layer that fails is named, and those behind it are not asked."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from lab import topology
from lab.errors import LabNotUp, Unreachable
from lab.nodes import name_server, site
from lab.nodes.site import Response
from lab.operations import trace
from lab.topology import Node

LAB = topology.load()
TIMING = {"server-timing": "db;dur=3.5, php;dur=18.0", "x-served-by": "web1", "x-db": "web1"}
HEALTHY = Response(200, TIMING, '{"status": "ok"}')
FILE = Response(200, {}, "<svg/>")
REFUSED = Unreachable("no answer", evidence="ConnectionRefusedError: refused")
Answers = Mapping[tuple[str, str], Response | Exception]
Asked = list[tuple[str, str]]


def site_of(answers: Answers, asked: Asked) -> Callable[..., Response]:
    """Replaces site.fetch: answers by node and path, healthy where nothing else is said."""

    def fetch(lab: Any, path: str, *, timeout: float, node: Node | None = None) -> Response:
        key = (node.name if node else "lb1", path)
        asked.append(key)
        answer = answers.get(key, FILE if path == trace.WITHOUT_PHP else HEALTHY)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return fetch


@pytest.fixture
def walked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[list[trace.Hop], Asked]]:
    """The hops of a walk with these answers, and what was asked."""

    def walk(answers: Answers | None = None, name: str | Exception = "192.168.56.10") -> tuple[list[trace.Hop], Asked]:
        asked: Asked = []

        def resolve(*_: Any) -> str:
            if isinstance(name, Exception):
                raise name
            return name

        monkeypatch.setattr(name_server, "resolve", resolve)
        monkeypatch.setattr(site, "fetch", site_of(answers or {}, asked))
        return trace.walk(LAB), asked

    return walk


def test_every_layer_of_a_healthy_lab_answers_with_its_own_time(walked: Any) -> None:
    """The time of PHP is without that of the database, which it waits for."""
    hops, _ = walked()
    assert [(hop.layer, hop.node) for hop in hops] == [
        ("name", "lb1"),
        ("balancer", "lb1"),
        *((layer, node) for node in ("web1", "web2") for layer in ("nginx", "php", "database")),
    ]
    times = {hop.layer: hop.ms for hop in hops if hop.node == "web1"}
    assert (times["php"], times["database"]) == (14.5, 3.5)
    assert trace.failed(hops) is None and trace.table(hops)[-1] == "every layer answers"


BY_NGINX, BY_PHP = Response(503, {}, "PHP does not run"), Response(503, TIMING, "the database on web1 does not answer")
BUSY, FATAL = Response(429, TIMING, "the site is too busy"), Response(500, TIMING, "")
BROKEN: dict[str, tuple[Answers, str | Exception, str, str]] = {
    "dnsmasq does not run": ({}, REFUSED, "name", "lb1"),
    "dnsmasq knows another address": ({}, "192.168.56.99", "name", "lb1"),
    "dnsmasq knows no address": ({}, "", "name", "lb1"),
    "HAProxy does not run": ({("lb1", "/health"): REFUSED}, "192.168.56.10", "balancer", "lb1"),
    "nginx does not run": ({("web2", trace.WITHOUT_PHP): REFUSED}, "192.168.56.10", "nginx", "web2"),
    "nginx has no files": ({("web2", trace.WITHOUT_PHP): Response(404, {}, "")}, "192.168.56.10", "nginx", "web2"),
    "PHP does not run": ({("web2", "/health"): BY_NGINX}, "192.168.56.10", "php", "web2"),
    "PHP is too busy": ({("web2", "/health"): BUSY}, "192.168.56.10", "php", "web2"),
    "PHP dies in the middle": ({("web2", "/health"): FATAL}, "192.168.56.10", "php", "web2"),
    "both servers are drained": ({("lb1", "/health"): BY_NGINX}, "192.168.56.10", "balancer", "lb1"),
    "PHP hangs": ({("web2", "/health"): REFUSED}, "192.168.56.10", "php", "web2"),
    "MySQL does not run": ({("web1", "/health"): BY_PHP}, "192.168.56.10", "database", "web1"),
}


@pytest.mark.parametrize(("answers", "name", "layer", "node"), BROKEN.values(), ids=BROKEN)
def test_the_layer_that_fails_is_named(
    walked: Any, answers: Answers, name: str | Exception, layer: str, node: str
) -> None:
    """And no other, even where the balancer hides it from visitors."""
    hops, asked = walked(answers, name)
    assert [(hop.layer, hop.node) for hop in hops if not hop.ok] == [(layer, node)]
    assert f"first failure: {layer} on {node}" in trace.table(hops)
    assert trace.data(hops)["failed"] == {"layer": layer, "node": node}
    assert layer != "nginx" or (node, "/health") not in asked


def test_a_balancer_without_servers_answers_itself(walked: Any) -> None:
    """It works: the first failure is behind it."""
    refused: Answers = {("lb1", "/health"): BY_NGINX, **{(it, trace.WITHOUT_PHP): REFUSED for it in ("web1", "web2")}}
    hops, _ = walked(refused)
    assert hops[1].ok and "503 itself" in hops[1].text
    first = trace.failed(hops)
    assert first is not None and (first.layer, first.node) == ("nginx", "web1")


def test_without_a_lab_nothing_is_traced(walked: Any) -> None:
    """That is no failure of a layer."""
    with pytest.raises(LabNotUp):
        walked({("lb1", "/health"): LabNotUp("no lab is up", evidence="no address")})


def test_a_server_without_a_database_is_told_from_a_php_that_fails(walked: Any) -> None:
    """PHP works, and says that no database of other nodes answers it."""
    silent = Response(503, {**TIMING, "x-db": "none"}, '{"error": "no database answers: web1, web2"}')
    hops, _ = walked({("web1", trace.THROUGH_ALL): silent})
    failed = trace.failed(hops)
    assert failed is not None and (failed.layer, failed.node) == ("database", "web1")
    assert "no database answers: web1, web2" in failed.text
