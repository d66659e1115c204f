"""A server that refuses connections while the other one is full: a read waits for the other one."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from lab.nodes import facts
from lab.nodes.ssh import Machine
from lab.topology import Lab
from lab.wait import pause, until
from tests.support.visitors import Answer, asked

pytestmark = pytest.mark.live
SLOTS, ROUNDS = 2, 3
FULL_S = 1.0  # a read is refused when it has waited for 1.5 s
FILLED_S = 0.4
REFUSE = """nft add table inet refuses
nft 'add chain inet refuses input { type filter hook input priority -300; }'
nft add rule inet refuses input tcp dport 80 reject with tcp reset"""
REFUSE_CHECKS = "nft add rule inet refuses input tcp dport 8080 reject with tcp reset"
# The pool goes on by itself, whatever becomes of the test.
FREEZE = f"""pkill -STOP -f 'php-fpm: pool read'
trap "pkill -CONT -f 'php-fpm: pool read'" EXIT
sleep {FULL_S}"""


@contextmanager
def refusing(machine: Machine) -> Iterator[None]:
    """The server refuses visitors, and HAProxy does not know it: the checks come to another port."""
    try:
        machine.run(REFUSE, title="refuses connections")
        yield
    finally:
        machine.run("nft delete table inet refuses", title="accepts connections", ok=(0, 1))


def in_service(balancer: Machine) -> set[str]:
    """The servers that HAProxy reports as completely UP."""
    text = balancer.run(facts.BALANCER, title="asks HAProxy").stdout
    return {it.name for it in facts.servers(text) if it.backend == "web" and it.status == "UP"}


def test_a_refused_read_waits_for_the_server_that_is_full(
    healthy: Lab, balancer: Machine, machines: dict[str, Machine]
) -> None:
    """All tries of one read went to web2 within 36 ms, because web1 had no free slot; the visitor got 503."""
    answers: list[int] = []
    for _ in range(ROUNDS):
        until("both servers are in", lambda: in_service(balancer) == {"web1", "web2"}, 30)
        shell = machines["web1"].ready("true", title="will freeze PHP")
        with refusing(machines["web2"]), ThreadPoolExecutor() as pool:
            frozen = pool.submit(machines["web1"].script, FREEZE, title="freezes PHP", shell=shell)
            pause(FILLED_S / 2)
            reads: list[Future[Answer]] = [pool.submit(asked, healthy, "/") for _ in range(SLOTS)]
            pause(FILLED_S / 2)
            reads.append(pool.submit(asked, healthy, "/"))
            machines["web2"].run(REFUSE_CHECKS, title="refuses the checks too")
            answers += [it.result()[0] for it in reads]
            frozen.result()
    assert answers == [200] * ROUNDS * (SLOTS + 1)
