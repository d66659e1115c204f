"""What the protection from a crowd costs who comes without one, and how much of the site a large crowd leaves."""

import http.client
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from lab import progress
from lab.machine import Machine
from lab.topology import Lab
from lab.wait import pause
from tests.live.conftest import must
from tests.live.visitors import door, downs

pytestmark = [pytest.mark.live, pytest.mark.slow]
PAIRS, WARM_UP_S, MEASURE_S = 10, 2.0, 8.0
BUSY, MANY, MANY_S = 16, 500, 30.0
FILE = "/etc/haproxy/haproxy.cfg"
ALL_LET_IN = f"""cp {FILE} /run/with-admission
sed -i -E -e '/^    server /s/ maxconn [0-9]+//' -e '/timeout queue|abortonclose|queue\\(/d' {FILE}
systemctl reload haproxy"""
AS_IT_IS = f"cp /run/with-admission {FILE} && systemctl reload haproxy"


@dataclass
class Answers:
    """How many answers of each status visitors got, and how long each of them took, in seconds."""

    counted: Counter[int] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)


@pytest.fixture
def balancer(healthy: Lab, machines: dict[str, Machine]) -> Iterator[Machine]:
    """The node of HAProxy, with its configuration as it was."""
    yield machines[healthy.having("balancer")[0].name]
    must("lab.provision", timeout=300)


def asks(lab: Lab, answers: Answers, over: threading.Event) -> None:
    """A visitor who asks for the page again and again, on a connection that is kept."""
    way = door(lab)
    while not over.is_set():
        began = time.monotonic()
        try:
            way.request("GET", "/", headers={"Host": lab.site})
            answer = way.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            way.close()
            answers.counted[0] += 1
        else:
            answers.counted[answer.status] += 1
            answers.took.append(time.monotonic() - began)
    way.close()


@contextmanager
def visitors(lab: Lab, users: int) -> Iterator[Answers]:
    """So many of them at once; what they got."""
    over, answers = threading.Event(), Answers()
    threads = [threading.Thread(target=asks, args=[lab, answers, over]) for _ in range(users)]
    for it in threads:
        it.start()
    try:
        yield answers
    finally:
        over.set()
        for it in threads:
            it.join(30)


def pages(lab: Lab, users: int, seconds: float = MEASURE_S) -> tuple[float, float]:
    """How many pages a second so many visitors got, and the median of their answers in milliseconds."""
    with visitors(lab, users) as answers:
        pause(WARM_UP_S)
        before, kept = answers.counted[200], len(answers.took)
        pause(seconds)
        after, took = answers.counted[200], answers.took[kept:]
    return (after - before) / seconds, 1000 * statistics.median(took)


@pytest.mark.parametrize(("users", "what"), [(BUSY, "at its peak"), (1, "at rest")])
def test_the_protection_costs_next_to_nothing(healthy: Lab, balancer: Machine, users: int, what: str) -> None:
    """With and without it in pairs, each in the other order than the one before."""
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
    """They ask again as soon as they are answered; those who are served are nearly as many as without them."""
    peak, _ = pages(healthy, BUSY)
    before = downs(balancer)
    with visitors(healthy, MANY) as answers:
        pause(MANY_S)
        counted = dict(answers.counted)
    served = counted.get(200, 0) / MANY_S
    progress.say("site", f"{served:.1f} pages/s of {peak:.1f}; answers by status: {counted}")
    assert downs(balancer) == before
    assert served >= 0.8 * peak
