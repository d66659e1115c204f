"""A crowd while something else fails or changes: who is served, and that every visitor gets an answer."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from lab.nodes import facts, services
from lab.nodes.ssh import Machine
from lab.state import choices
from lab.topology import Lab
from lab.wait import pause, until
from tests.live.conftest import must, primary
from tests.support.visitors import Answer, asked, crowd, downs, leaving, noted

pytestmark = [pytest.mark.live, pytest.mark.slow]
BEGINS_S, AFTER_S = 4.0, 5.0
READ_OR_REFUSED = {200, 503}
PHP, NGINX, BY_HAND = "/etc/php/*/fpm/php-fpm.conf", "/etc/nginx/nginx.conf", "changed by hand"


def statuses(answers: Sequence[Answer]) -> Counter[int]:
    """The number of answers of each status."""
    return Counter(status for status, _, _ in answers)


def up(balancer: Machine) -> set[str]:
    """The servers that HAProxy reports as UP."""
    text = balancer.run(facts.BALANCER, title="asks HAProxy").stdout
    return {it.name for it in facts.servers(text) if it.backend == "web" and it.status.startswith("UP")}


def test_a_server_that_returns_in_a_crowd_stays(capped: Lab, balancer: Machine, machines: dict[str, Machine]) -> None:
    """web2 is down for a while: web1 is not taken out, and web2 is added again while the crowd is still there.

    The requests that web2 was working on may be lost: two reads at most.
    """
    with crowd(lambda: asked(capped, "/")) as answers:
        pause(BEGINS_S)
        machines["web2"].run("systemctl stop nginx", title="stops nginx")
        pause(AFTER_S)
        assert up(balancer) == {"web1"}
        machines["web2"].run("systemctl start nginx", title="starts nginx")
        until("both servers are in", lambda: up(balancer) == {"web1", "web2"}, 20)
        before = downs(balancer)
        pause(AFTER_S)
        assert downs(balancer) == before and up(balancer) == {"web1", "web2"}
    counted = statuses(answers)
    assert sum(counted[it] for it in counted.keys() - READ_OR_REFUSED) <= 2, counted


@pytest.mark.parametrize("unit", ["php*-fpm", "nginx", "mysql"])
def test_a_server_that_says_no_at_once_does_not_get_the_crowd(
    healthy: Lab, balancer: Machine, machines: dict[str, Machine], unit: str
) -> None:
    """Until it is taken out, hardly more is lost than the requests it was working on.

    When HAProxy passed each refusal on at once and counted only its checks, 47 to 148 reads were refused (seven runs).
    """
    with crowd(lambda: asked(healthy, "/"), users=16) as answers:
        pause(BEGINS_S)
        assert set(statuses(answers)) == {200}, "so many can be served"
        machines["web2"].run(f"systemctl stop {services.named([unit])}", timeout=90, title=f"stops {unit}")
        until("web2 is out", lambda: up(balancer) == {"web1"}, 20)
        pause(AFTER_S)
        counted = statuses(answers)
        machines["web2"].run(f"systemctl start {services.named([unit])}", timeout=120, title=f"starts {unit}")
        until("both servers are in", lambda: up(balancer) == {"web1", "web2"}, 60)
    assert counted.total() - counted[200] <= 15, counted


def test_a_converge_in_a_crowd_costs_nobody_an_answer(
    healthy: Lab, balancer: Machine, machines: dict[str, Machine]
) -> None:
    """The converge reloads PHP and nginx, one server after the other, then HAProxy."""
    for name in ("web1", "web2"):
        text = f"echo '; {BY_HAND}' >> $(echo {PHP}); echo '# {BY_HAND}' >> {NGINX}"
        machines[name].run(text, title="changes both by hand")
    with crowd(lambda: asked(healthy, "/"), users=50) as answers:
        pause(BEGINS_S)
        must("lab.provision", timeout=300)
        balancer.run("systemctl reload haproxy", title="reloads HAProxy")
        pause(AFTER_S)
    left = [machines[name].run(f"cat {PHP} {NGINX}", title="reads them").stdout for name in ("web1", "web2")]
    assert not any(BY_HAND in it for it in left)
    assert set(statuses(answers)) == READ_OR_REFUSED, statuses(answers)
    assert up(balancer) == {"web1", "web2"}


def test_the_primary_is_replaced_in_a_crowd(capped: Lab, balancer: Machine, roles: Lab) -> None:
    """A planned switch, and back: readers notice nothing."""
    before = downs(balancer)
    with crowd(lambda: asked(capped, "/")) as answers:
        pause(BEGINS_S)
        for name in ("web2", "web1"):
            must("db.promote", name, timeout=240)
            assert primary(capped) == name
    assert set(statuses(answers)) == READ_OR_REFUSED and downs(balancer) == before


@pytest.fixture
def by_address(healthy: Lab) -> Iterator[Lab]:
    """The balancer chooses a server by the visitor's address."""
    before = choices.load().algorithm
    choices.save(algorithm="source")
    try:
        must("lab.provision", timeout=240)
        yield healthy
    finally:
        choices.save(algorithm=before)
        must("lab.provision", timeout=240)


def test_a_crowd_of_one_address_takes_no_server_down(by_address: Lab, capped: Lab, balancer: Machine) -> None:
    """All are bound to one server, which serves as many as it can."""
    before = downs(balancer)
    with crowd(lambda: asked(capped, "/")) as answers:
        pause(3 * AFTER_S)
    counted = statuses(answers)
    assert set(counted) == READ_OR_REFUSED and counted[200] > 50, counted
    assert downs(balancer) == before


def test_a_crowd_of_writes_without_a_replica_leaves_the_readers_alone(
    healthy: Lab, balancer: Machine, machines: dict[str, Machine]
) -> None:
    """In durable mode no write can succeed: each fails or is refused, pages still work, and later writes work again."""
    with crowd(lambda: noted(healthy), users=50) as answers:
        pause(BEGINS_S)
        machines["web2"].run("systemctl stop mysql", timeout=90, title="stops MySQL")
        until("web2 is out", lambda: up(balancer) == {"web1"}, 30)
        acknowledged = statuses(answers)[201]
        pages = [asked(healthy, "/")[0] for _ in range(10)]
        alone = statuses(answers)
        machines["web2"].run("systemctl start mysql", timeout=120, title="starts MySQL")
        until("notes are kept again", lambda: statuses(answers)[201] > alone[201] + 5, 60)
    assert pages == [200] * 10
    assert set(statuses(answers)) <= {201, 503, 504} and acknowledged > 0


def test_visitors_who_leave_keep_no_reader_waiting(capped: Lab, balancer: Machine) -> None:
    """PHP does not notice that they left, so its queue is full of them: a new visitor is refused at once."""
    before, took = downs(balancer), []
    with leaving(capped):
        pause(5)
        for _ in range(10):
            began = time.monotonic()
            status = asked(capped, "/")[0]
            took.append((status, time.monotonic() - began))
            pause(1)
    assert {status for status, _ in took} <= {200, 503} and max(seconds for _, seconds in took) <= 3.0, took
    assert downs(balancer) == before
