"""What scripts read in the status: each thing that is wrong, once."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from lab import topology
from lab.nodes import lifecycle, site, vm_power
from lab.nodes.facts import NodeFacts, Server
from lab.operations import status
from lab.state import choices
from tests.support.pairs import OPEN, REPLICA
from tests.unit.conftest import Stored

LAB = topology.load()
Errors = Callable[..., list[str]]


@pytest.fixture
def errors(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> Errors:
    """The errors of a status in which HAProxy says this of web2, and its nginx is in this state."""

    def of(word: str = "UP", weight: int = 100, nginx: str = "active") -> list[str]:
        servers = [Server("web", "web1", "UP", 100, "L7OK"), Server("web", "web2", word, weight, "L7OK")]
        facts = {
            "lb1": NodeFacts({"haproxy": "active"}, servers, None),
            "web1": NodeFacts({"nginx": "active"}, None, OPEN),
            "web2": NodeFacts({"nginx": nginx}, None, REPLICA),
        }
        machines: Any = [SimpleNamespace(node=node) for node in LAB.nodes]
        monkeypatch.setattr(vm_power, "states", lambda lab: {node.name: "running" for node in lab.nodes})
        monkeypatch.setattr(site, "healthy", lambda lab: True)
        monkeypatch.setattr(lifecycle, "machines", lambda lab: machines)
        monkeypatch.setattr(status, "together", lambda ask, machines: [facts[it.node.name] for it in machines])
        found = status.collect(LAB)
        assert sorted(set(found["errors"])) == sorted(found["errors"])
        return [it for it in found["errors"] if not it.startswith("database")]

    return of


def test_a_healthy_lab_has_none(errors: Errors) -> None:
    """Nothing to read for a script."""
    assert errors() == []


def test_a_server_that_haproxy_does_not_use_is_one(errors: Errors) -> None:
    """Although its services run: nginx may be frozen."""
    assert errors("DOWN") == ["HAProxy: web2 is DOWN"]
    assert errors("DOWN 1/2") == ["HAProxy: web2 is DOWN 1/2"]


def test_a_server_in_maintenance_is_one_with_the_command_that_brings_it_back(errors: Errors) -> None:
    """A command that was interrupted left it there; no check brings it back."""
    assert errors("MAINT") == ["HAProxy: web2 is MAINT; next: invoke lb.ready web2"]


def test_a_service_that_is_not_active_is_one(errors: Errors) -> None:
    """In systemd's word."""
    assert errors(nginx="failed") == ["web2: nginx is failed"]


def test_a_weight_that_nobody_chose_is_one(errors: Errors) -> None:
    """Set by hand, or by a command that was interrupted; a drained server is none."""
    (line,) = errors("DRAIN", 0)
    assert "weight of web2 is 0, chosen is 100" in line and "invoke lb.ready web2" in line
    choices.save(drained=["web2"])
    assert errors("DRAIN", 0) == []
