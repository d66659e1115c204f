"""What the protection from crowds costs when there is none, and how many answers a large crowd leaves."""

import re
import selectors
import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest

from lab import progress
from lab.nodes import route
from lab.nodes.ssh import Machine
from lab.topology import Lab
from lab.wait import pause
from tests.live.conftest import must
from tests.support.visitors import downs

pytestmark = [pytest.mark.live, pytest.mark.slow]
PAIRS, WARM_UP_S, MEASURE_S = 10, 2.0, 8.0
BUSY, MANY, MANY_S, ROUNDS = 16, 500, 30.0, 3
PAGE = b"GET / HTTP/1.1\r\nHost: www.foobar.com\r\n\r\n"
FILE = "/etc/haproxy/haproxy.cfg"
ALL_LET_IN = f"""cp {FILE} /run/with-admission
sed -i -E -e '/^    server /s/ maxconn [0-9]+//' -e '/timeout queue|abortonclose|queue\\(/d' {FILE}
systemctl reload haproxy"""
AS_IT_IS = f"cp /run/with-admission {FILE} && systemctl reload haproxy"


@dataclass
class Answers:
    """The number of answers of each status, and how long each took, in seconds."""

    counted: Counter[int] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)


@dataclass
class Asked:
    """One visitor's request, and the part of the answer received so far."""

    since: float = field(default_factory=time.monotonic)
    came: bytes = b""

    def hears(self, connection: socket.socket, answers: Answers) -> bool:
        """Read what has arrived; if the answer is complete, count it and ask again. False if the connection is lost."""
        try:
            more = connection.recv(65_536)
        except OSError:
            more = b""
        if not more:
            answers.counted[0] += 1
            return False
        self.came += more
        if is_complete(self.came):
            answers.counted[int(self.came[9:12])] += 1
            answers.took.append(time.monotonic() - self.since)
            self.since, self.came = time.monotonic(), b""
            connection.sendall(PAGE)
        return True


def is_complete(came: bytes) -> bool:
    """Whether an answer is complete: nginx sends pages in chunks, HAProxy sends refusals with Content-Length."""
    head, _, body = came.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    return len(body) >= int(length[1]) if length else body.endswith(b"0\r\n\r\n")


@pytest.fixture
def balancer(healthy: Lab, machines: dict[str, Machine]) -> Iterator[Machine]:
    """HAProxy's node; its configuration is restored after the test."""
    yield machines[healthy.having("balancer")[0].name]
    must("lab.provision", timeout=300)


def asks(lab: Lab, users: int, answers: Answers, over: threading.Event) -> None:
    """Visitors who ask for the page repeatedly, on kept connections.

    One thread for all of them, and only the end of an answer is examined: the processor time they use is missing
    for the site.
    """
    address = str(lab.having("balancer")[0].ip)
    route.guard(lab, address)
    with ExitStack() as stack:
        them = stack.enter_context(selectors.DefaultSelector())

        def come() -> None:
            connection = stack.enter_context(socket.create_connection((address, 80), timeout=20))
            them.register(connection, selectors.EVENT_READ, Asked())
            connection.sendall(PAGE)

        for _ in range(users):
            come()
        while not over.is_set():
            for key, _ in them.select(timeout=0.2):
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                if not key.data.hears(connection, answers):
                    them.unregister(connection)
                    come()


@contextmanager
def visitors(lab: Lab, users: int) -> Iterator[Answers]:
    """Run a number of them at once; returns the answers they got."""
    over, answers = threading.Event(), Answers()
    thread = threading.Thread(target=asks, args=[lab, users, answers, over])
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join(30)


def pages(lab: Lab, users: int, seconds: float = MEASURE_S) -> tuple[float, float]:
    """The pages per second that a number of visitors got, and the median response time in milliseconds."""
    with visitors(lab, users) as answers:
        pause(WARM_UP_S)
        before, took_before = answers.counted[200], len(answers.took)
        pause(seconds)
        after, took = answers.counted[200], answers.took[took_before:]
    return (after - before) / seconds, 1000 * statistics.median(took)


@pytest.mark.parametrize(("users", "what"), [(BUSY, "at its peak"), (1, "at rest")])
def test_the_protection_costs_next_to_nothing(healthy: Lab, balancer: Machine, users: int, what: str) -> None:
    """Measured with and without it in pairs, in alternating order."""
    got: dict[bool, list[float]] = {True: [], False: []}
    for number in range(PAIRS):
        for protected in (True, False) if number % 2 == 0 else (False, True):
            if not protected:
                balancer.script(ALL_LET_IN, timeout=60, title="lets all in")
            try:
                rate, p50 = pages(healthy, users)
            finally:
                if not protected:
                    balancer.script(AS_IT_IS, timeout=60, title="as it was")
            got[protected].append(rate)
            words = "with" if protected else "without"
            progress.say("site", f"{what}, pair {number + 1}: {rate:.1f} pages/s, p50 {p50:.0f} ms {words}")
    ratio = statistics.mean(got[True]) / statistics.mean(got[False])
    progress.say("site", f"{what}: {ratio:.3f} of the pages without it, over {PAIRS} pairs")
    assert ratio >= 0.95, got


def test_five_hundred_connections_take_no_server_down(healthy: Lab, balancer: Machine) -> None:
    """They ask again as soon as they have an answer; nearly as many are served as at the site's peak.

    Peak and crowd are measured in turn: the hosting machine's speed differs by half from minute to minute.
    """
    before, peaks, served = downs(balancer), [pages(healthy, BUSY)[0]], []
    for number in range(ROUNDS):
        with visitors(healthy, MANY) as answers:
            pause(MANY_S)
            counted = dict(answers.counted)
        served.append(counted.get(200, 0) / MANY_S)
        peaks.append(pages(healthy, BUSY)[0])
        progress.say("site", f"round {number + 1}: {served[-1]:.1f} pages/s of {peaks[-1]:.1f} after it; {counted}")
        assert downs(balancer) == before
    ratio = statistics.mean(served) / statistics.mean(peaks)
    progress.say("site", f"{ratio:.2f} of the peak, over {ROUNDS} rounds of {MANY_S:g} s")
    assert ratio >= 0.8, (served, peaks)
