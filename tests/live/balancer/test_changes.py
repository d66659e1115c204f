"""A change of the balancer: how soon it is in force, and what visitors notice, who are there all the time."""

import json
import sys
import time
from contextlib import closing
from functools import partial
from http.client import HTTPConnection

import pytest

from lab.nodes import haproxy, vm_power
from lab.nodes.ssh import Machine
from lab.operations import balancing
from lab.state import choices
from lab.topology import Lab
from lab.wait import pause, until
from tests.live.balancer.conftest import Order
from tests.live.conftest import invoke, must
from tests.support.kept_connections import Seen, visitors
from tests.support.visitors import noted

IN_FORCE_S = 12.0  # on two cores that emulate three machines: 4 to 10 s under this load, 5 at rest
USERS, EVERY_S = 4, 0.3  # 12 pages a second
CHANGES = (
    "lb.algorithm leastconn",
    "lb.algorithm source",
    "lb.algorithm random",
    "lb.algorithm first",
    "lb.algorithm roundrobin",
    "lb.persistence cookie",
    "lb.persistence none",
    "lb.mode active-passive",
    "lb.mode active-active",
    "lb.weight web2 50",
    "lb.drain web2",
    "lb.ready web2",
)


def serves(seen: Seen, name: str, since: float) -> bool:
    """Whether a server sent some pages since then."""
    return seen.shares(since)[name] > 2


@pytest.mark.slow
def test_changes_are_in_force_soon_and_break_no_kept_connection(balanced: Lab, balancer: Machine) -> None:
    """A command ends when HAProxy itself says that it does what was chosen."""
    took = {}
    with visitors(balanced, USERS, every_s=EVERY_S) as seen:
        for change in CHANGES:
            began = time.monotonic()
            must(*change.split())
            took[change] = time.monotonic() - began
            assert not balancing.differing(choices.load(), haproxy.ask(balancer))
        until("a thousand pages", lambda: len(seen.pages) >= 1000, 120)
    sys.stderr.write(f"\nin force after {took} s; {len(seen.pages)} pages, broken: {seen.broken}\n")
    assert seen.broken == []
    assert max(took.values()) <= IN_FORCE_S, took


def test_a_drained_server_gets_nothing_new_and_nobody_notices(balanced: Lab) -> None:
    """Reads and notes alike; it comes back with its weight."""
    with visitors(balanced, USERS, every_s=EVERY_S) as seen:
        must("lb.drain", "web2")
        pause(1)  # for what web2 had begun
        since = time.monotonic()
        notes = [noted(balanced) for _ in range(5)]
        pause(3)
        alone = seen.shares(since)
        must("lb.ready", "web2")
        back = time.monotonic()
        pause(3)
    assert seen.broken == [] and set(alone) == {"web1"} and set(seen.shares(back)) == {"web1", "web2"}
    assert [status for status, _, _ in notes] == [201] * 5 and {it[1]["x-served-by"] for it in notes} == {"web1"}


@pytest.mark.slow
def test_the_last_server_is_drained_only_by_force(balanced: Lab, served: Order) -> None:
    """Then visitors get 503, and lb.ready ends that."""
    must("lb.drain", "web1")
    refused = invoke("lb.drain", "web2")
    assert refused.returncode == 1 and "web1 is drained" in refused.stderr + refused.stdout
    assert set(served(4)) == {"web2"}
    must("lb.drain", "web2", "--force")
    with visitors(balanced, 1) as seen:
        pause(3)
    assert seen.pages == [] and set(seen.broken) == {"503"}
    with closing(HTTPConnection(str(balanced.having("balancer")[0].ip), timeout=5)) as visitor:
        visitor.request("GET", "/")
        assert visitor.getresponse().headers["X-Refused"] == "no server"
    must("lb.ready", "web1")
    assert set(served(4)) == {"web1"}


@pytest.mark.slow
def test_a_drain_survives_a_converge_and_a_reboot_of_the_balancer(balanced: Lab, served: Order) -> None:
    """The file is the truth."""
    must("lb.drain", "web2")
    must("lab.provision", timeout=240)
    assert set(served(4)) == {"web1"}
    must("lab.exec", balanced.having("balancer")[0].name, "systemctl restart haproxy")
    until("HAProxy answers", lambda: set(served(4)) == {"web1"}, 30)
    now = json.loads(must("lb.status", "--json"))
    assert [(it["name"], it["status"], it["drained"]) for it in now["servers"]] == [
        ("web1", "UP", False),
        ("web2", "DRAIN", True),
    ]


@pytest.mark.slow
def test_the_passive_server_takes_over_and_gives_back(balanced: Lab) -> None:
    """The active one loses its power under load: no page is missing, and it serves again when it is back."""
    must("lb.mode", "active-passive")
    active, passive = balanced.having("web")
    with visitors(balanced, USERS, every_s=EVERY_S) as seen:
        pause(2)
        begun = time.monotonic()
        must("fault.inject", "service-stop", active.name, "--service", "nginx")
        until("the passive one serves", lambda: seen.shares(begun)[passive.name] > 10, 30)
        must("fault.heal")
        healed = time.monotonic()
        until("the active one serves again", lambda: seen.shares(healed)[active.name] > 10, 60)
        pause(2)
        last = time.monotonic()
        pause(2)
    assert seen.broken == [] and set(seen.shares(last)) == {active.name}


@pytest.mark.slow
def test_a_drained_server_that_reboots_stays_drained(balanced: Lab, served: Order) -> None:
    """DOWN, then DRAIN: it is never sent a request."""
    must("lb.drain", "web2")
    with visitors(balanced, USERS, every_s=EVERY_S) as seen:
        vm_power.power_off(balanced.node("web2"))
        must("lab.up", timeout=600)
        pause(3)
    assert seen.broken == [] and set(seen.shares(0)) == {"web1"}


@pytest.mark.slow
def test_a_rolling_change_of_the_site_over_both_servers_loses_nothing(balanced: Lab) -> None:
    """Each server is drained, its site is off for three seconds and starts anew, and it serves again."""
    notes = []
    with visitors(balanced, USERS, every_s=EVERY_S) as seen:
        for node in balanced.having("web"):
            must("lb.drain", node.name)
            pause(1)  # for what it had begun
            must("lab.exec", node.name, "systemctl stop nginx php*-fpm && sleep 3 && systemctl start php*-fpm nginx")
            notes.append(noted(balanced))
            must("lb.ready", node.name)
            back = time.monotonic()
            until(f"{node.name} serves", partial(serves, seen, node.name, back), 30)
    assert seen.broken == [] and set(seen.shares(0)) == {"web1", "web2"}
    assert [(status, headers["x-served-by"]) for status, headers, _ in notes] == [(201, "web2"), (201, "web1")]


@pytest.mark.slow
def test_a_change_while_a_server_is_down_is_in_force(balanced: Lab) -> None:
    """The other one serves all the time, and the one that comes back follows the new choice."""
    must("fault.inject", "service-stop", "web2", "--service", "nginx")
    with visitors(balanced, USERS, every_s=EVERY_S) as seen:
        pause(5)  # until HAProxy has taken it out
        since = time.monotonic()
        must("lb.algorithm", "leastconn")
        must("lb.weight", "web2", "50")
        changed = seen.shares(since)
        must("fault.heal")
        healed = time.monotonic()
        until("web2 serves again", partial(serves, seen, "web2", healed), 60)
    assert seen.broken == [] and set(changed) == {"web1"}
    now = json.loads(must("lb.status", "--json"))
    assert (now["algorithm"], [it["weight"] for it in now["servers"]]) == ("leastconn", [100, 50])


@pytest.mark.slow
def test_the_active_server_is_lost_while_the_passive_one_is_drained(balanced: Lab, served: Order) -> None:
    """Nobody takes over; status tells the command that does."""
    must("lb.mode", "active-passive")
    must("lb.drain", "web2")
    must("fault.inject", "service-stop", "web1", "--service", "nginx")
    with visitors(balanced, 1) as seen:
        until("visitors are refused", lambda: "503" in seen.broken, 30)
    assert "lb.ready web2" in invoke("lab.status").stdout
    must("lb.ready", "web2")
    until("the passive one serves", lambda: set(served(2)) == {"web2"}, 30)
    must("fault.heal")
