"""A visitor's counter in a PHP session: what keeps it, and who loses it when a server dies."""

import sys
import time
from collections import Counter
from collections.abc import Callable

import pytest

from lab.nodes import vm_power
from lab.topology import Lab
from lab.wait import until
from tests.live.balancer.conftest import Order
from tests.live.conftest import must
from tests.support.returning import PATH, Visit, Visitor
from tests.support.visitors import asked

VISITORS = 20  # with round robin each server gets half of them
SESSIONS, MOST = "/run/php/sessions", 2000  # provision/site/visits.php
CLEANED_S = 240.0  # one visit in a hundred removes the oldest: an emulated server has a thousand in this time


def bound(lab: Lab, number: int = VISITORS) -> dict[str, list[Visitor]]:
    """New visitors by the server that the cookie binds them to; each has come twice."""
    found: dict[str, list[Visitor]] = {node.name: [] for node in lab.having("web")}
    for visitor in (Visitor(lab) for _ in range(number)):
        name = visitor.visit().served_by
        assert visitor.visit() == Visit(2, "kept", name)
        found[name].append(visitor)
    return found


def come(visitors: list[Visitor]) -> Counter[tuple[str, str]]:
    """All come once: how many lost or kept their session, and who served them."""
    answers = [visitor.visit() for visitor in visitors]
    return Counter((it.session, it.served_by) for it in answers)


def serves(served: Order, name: str) -> Callable[[], bool]:
    """Whether a server gets new visitors."""
    return lambda: name in served(4)


def test_only_the_counter_starts_a_session(balanced: Lab) -> None:
    """The page and the notes set no cookie, so they cost what they did."""
    for path in ("/", "/api/notes"):
        assert "set-cookie" not in asked(balanced, path)[1]
    status, headers, text = asked(balanced, PATH)
    assert status == 200 and "httponly" in headers["set-cookie"].lower(), headers
    assert headers["cache-control"] == "no-store" and headers["x-db"] == "none", text
    assert asked(balanced, PATH, "POST")[0] == 405


def test_round_robin_loses_the_session_each_time(balanced: Lab) -> None:
    """The next server does not know the session, makes another one, and the first one is forgotten too."""
    visitor = Visitor(balanced)
    answers = [visitor.visit() for _ in range(6)]
    assert [it.visits for it in answers] == [1] * 6
    assert [it.session for it in answers] == ["new", *["lost"] * 5]


def test_a_cookie_of_the_balancer_keeps_the_session(balanced: Lab) -> None:
    """The visitor comes back to the same server, and the counter goes on."""
    must("lb.persistence", "cookie")
    visitor = Visitor(balanced)
    answers = [visitor.visit() for _ in range(6)]
    assert [it.visits for it in answers] == [1, 2, 3, 4, 5, 6] and len({it.served_by for it in answers}) == 1


def test_a_drained_server_keeps_the_visitors_of_its_cookie(balanced: Lab) -> None:
    """It gets no new visitors; those who are bound to it stay, and so do their sessions."""
    must("lb.persistence", "cookie")
    visitors = bound(balanced, 8)
    must("lb.drain", "web2")
    old, new = come(visitors["web2"]), come([Visitor(balanced) for _ in range(4)])
    assert set(old) == {("kept", "web2")} and set(new) == {("new", "web1")}


@pytest.mark.slow
def test_who_comes_while_the_server_is_dead_loses_the_session(balanced: Lab, served: Order) -> None:
    """And stays where the balancer moved him; who stayed away finds his session again. New visitors are shared."""
    must("lb.persistence", "cookie")
    visitors = bound(balanced)
    half = len(visitors["web2"]) // 2
    came, away = visitors["web2"][:half], visitors["web2"][half:]
    must("fault.inject", "service-stop", "web2", "--service", "nginx")
    try:
        began = time.monotonic()
        moved, others = come(came), come(visitors["web1"])
        took_s = time.monotonic() - began
    finally:
        must("fault.heal")
    until("web2 gets new visitors", serves(served, "web2"), 30)
    old, new = come([*came, *away, *visitors["web1"]]), come([Visitor(balanced) for _ in range(VISITORS)])
    sys.stderr.write(f"\n{half} of {VISITORS} lost, in {took_s:.1f} s; after the return {old}, new {new}\n")
    assert moved == {("lost", "web1"): half} and set(others) == {("kept", "web1")}
    assert old == {("kept", "web1"): len(visitors["web1"]) + half, ("kept", "web2"): len(away)}
    assert abs(new["new", "web1"] - new["new", "web2"]) <= 1, new


@pytest.mark.slow
def test_a_restart_of_php_keeps_the_sessions(balanced: Lab, served: Order) -> None:
    """They are files, not in the memory of PHP's processes."""
    must("lb.persistence", "cookie")
    visitor = bound(balanced, 2)["web1"][0]
    must("lab.exec", "web1", "systemctl restart 'php*-fpm.service'")
    until("web1 gets new visitors", serves(served, "web1"), 30)
    assert visitor.visit() == Visit(3, "kept", "web1")


@pytest.mark.slow
def test_a_server_that_lost_its_power_has_no_sessions(balanced: Lab) -> None:
    """They are in its memory: also those are lost who did not come meanwhile."""
    must("lb.persistence", "cookie")
    visitors = bound(balanced, 8)
    vm_power.power_off(balanced.node("web2"))
    must("lab.up", timeout=600)
    assert come(visitors["web2"]) == {("lost", "web2"): len(visitors["web2"])}
    assert set(come(visitors["web1"])) == {("kept", "web1")}


@pytest.mark.slow
def test_programs_without_cookies_cannot_fill_the_memory(balanced: Lab) -> None:
    """The newest sessions stay, and a visitor among them keeps the counter."""
    must("lb.drain", "web2")
    old = f"cd {SESSIONS} && for n in $(seq {MOST + 500}); do touch -d '1 hour ago' sess_old$n; done"
    visitor = Visitor(balanced)
    visitor.visit()
    must("lab.exec", "web1", old)
    until("the oldest sessions are removed", lambda: after_a_hundred(balanced) <= MOST + 200, CLEANED_S, every=0.1)
    assert visitor.visit().session == "kept"


def after_a_hundred(lab: Lab) -> int:
    """How many sessions web1 keeps after a hundred visits without a cookie."""
    for _ in range(100):
        asked(lab, PATH)
    return int(must("lab.exec", "web1", f"ls {SESSIONS} | wc -l"))
