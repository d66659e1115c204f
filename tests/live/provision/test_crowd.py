"""A crowd, and visitors who are slow on purpose: what other visitors get meanwhile, and what the crowd gets."""

import http.client
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress

import pytest

from lab.nodes import route, site
from lab.nodes.ssh import Machine
from lab.topology import Lab
from lab.wait import pause
from tests.live.conftest import must
from tests.support.visitors import GET, asked, connect, crowd, downs

pytestmark = [pytest.mark.live, pytest.mark.slow]
CROWD_S = 15.0
SLOW, SLOW_S = 200, 12.0
CONNECTIONS, RELOADS = 8, 8
OPTION = "option idle-close-on-response"


def test_a_crowd_is_told_to_come_again_and_takes_no_server_down(capped: Lab, balancer: Machine) -> None:
    """Some are served; the others get a page that refuses them, soon after the time limit of the queue."""
    before = downs(balancer)
    with crowd(lambda: asked(capped, "/")) as answers:
        pause(CROWD_S)
    counted = Counter(status for status, _, _ in answers)
    refused = [(headers, text) for status, headers, text in answers if status == 503]
    assert set(counted) == {200, 503} and min(counted.values()) >= 10, counted
    headers, text = refused[0]
    assert headers["retry-after"] == "2" and headers["content-type"].startswith("text/html") and "too busy" in text
    assert downs(balancer) == before


def test_a_program_in_a_crowd_is_told_in_json(capped: Lab) -> None:
    """And the status of a refused write says that nothing was sent."""
    with crowd(lambda: asked(capped, "/api/notes")) as answers:
        pause(CROWD_S)
    refused = [(headers, text) for status, headers, text in answers if status == 503]
    assert refused and {headers["content-type"] for headers, _ in refused} == {"application/json"}
    assert "nothing was sent" in json.loads(refused[0][1])["error"]


def test_readers_leave_room_for_a_write(capped: Lab) -> None:
    """Writes have their own queue and processes: most succeed, though any of them may be refused in such a crowd."""
    with crowd(lambda: asked(capped, "/")):
        pause(5)
        note = json.dumps({"token": f"crowd-{time.time_ns()}", "body": "in a crowd"})
        statuses = [asked(capped, "/api/notes", "POST", note)[0] for _ in range(5)]
    assert sum(status in (200, 201) for status in statuses) >= 3, statuses


def test_visitors_who_leave_leave_nothing_behind(capped: Lab) -> None:
    """Impatient visitors: PHP does not work for those who left, so many others still get an answer in time.

    When PHP works on every read, 18 got an answer (one run), otherwise 90.
    """
    with crowd(lambda: asked(capped, "/", patience_s=1.2)) as answers:
        pause(CROWD_S)
    assert len(answers) > 40
    assert [asked(capped, "/")[0] for _ in range(5)] == [200] * 5


def test_many_who_ask_for_health_take_no_server_down(healthy: Lab, balancer: Machine) -> None:
    """Visitors' requests for /health go the way of the reads; the balancer's checks have their own port."""
    before = downs(balancer)
    with crowd(lambda: asked(healthy, "/health"), users=50):
        pause(CROWD_S)
    assert downs(balancer) == before


@contextmanager
def dripping(lab: Lab, first: bytes, more: bytes) -> Iterator[None]:
    """A number of visitors who send the first part of a request, and then a byte a second."""
    address = str(lab.having("balancer")[0].ip)
    route.guard(lab, address)
    over = threading.Event()
    with ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection((address, 80), timeout=10)) for _ in range(SLOW)]
        for it in slow:
            with suppress(OSError):  # the connection may be answered and closed before all is sent
                it.sendall(first)

        def drip() -> None:
            while not over.wait(1.0):
                for it in slow:
                    try:
                        it.sendall(more) if more else it.recv(1)
                    except OSError:
                        continue

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


HEAD = b"POST /api/notes HTTP/1.1\r\nHost: www.foobar.com\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("first", "more", "burst_s"),
    [
        (GET + b"X-Slow: ", b"a", 0),
        (HEAD + b'Content-Length: 500\r\n\r\n{"token": "', b"a", 0),
        (HEAD + b"Content-Length: 39000\r\n\r\n" + b"a" * 38_980, b"a", 0),
        (GET + b"Content-Length: 500\r\n\r\n", b"a", 0),
        (GET + b"\r\n", b"", 3),  # complete requests: sent all at once they are a crowd
        (HEAD + b"Content-Length: 10000000\r\n\r\n" + b"a" * 90_000, b"a", 1),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffff\r\n" + b"a" * 90_000, b"a", 1),
        (GET + b"Content-Length: 10000000\r\n\r\n" + b"a" * 90_000, b"a", 1),
    ],
    ids=[
        "headers",
        "body",
        "long body",
        "body of a GET",
        "answer",
        "too long",
        "too long in chunks",
        "too long in a GET",
    ],
)
def test_slow_visitors_take_no_place_from_others(healthy: Lab, first: bytes, more: bytes, burst_s: float) -> None:
    """With two hundred visitors who send or read a byte a second, pages and notes still work."""
    with dripping(healthy, first, more):
        pause(burst_s)
        began = time.monotonic()
        statuses: Counter[int] = Counter()
        while time.monotonic() < began + SLOW_S:
            note = json.dumps({"token": f"slow-{time.time_ns()}", "body": "beside slow visitors"})
            statuses[asked(healthy, "/")[0]] += 1
            statuses[asked(healthy, "/api/notes", "POST", note)[0]] += 1
    assert set(statuses) == {200, 201}, statuses


def test_who_reads_the_longest_page_slowly_takes_no_place_from_others(healthy: Lab) -> None:
    """Ten notes of the maximum length, each character of which takes six on the page: it fits the balancer's buffer."""
    for number in range(10):
        note = json.dumps({"token": f"long-{number}-{time.time_ns()}", "body": '"' * 2000})
        assert asked(healthy, "/api/notes", "POST", note)[0] == 201
    assert max(len(asked(healthy, path)[2]) for path in ("/", "/api/notes")) < 64_000
    with dripping(healthy, (GET + b"\r\n") * 2, b""):
        pause(3)
        statuses = Counter(asked(healthy, "/")[0] for _ in range(40))
    assert set(statuses) == {200}, statuses


def test_a_connection_brings_one_request_at_a_time(healthy: Lab) -> None:
    """HTTP/2 is refused without TLS: its hundred requests would count as one connection."""
    address = str(healthy.having("balancer")[0].ip)
    route.guard(healthy, address)
    with socket.create_connection((address, 80), timeout=10) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        assert connection.recv(100).startswith(b"HTTP/1.1 400")


def test_a_body_that_is_too_large_is_told_so_that_its_sender_can_read_it(healthy: Lab) -> None:
    """From nginx and from PHP for the form of the page, and for a program."""
    for path, wanted in (("/", "text/html"), ("/api/notes", "application/json")):
        for size in (33_000, 41_000, 90_000):
            status, headers, _ = asked(healthy, path, "POST", "body=" + "a" * size)
            assert status in (400, 413) and headers["content-type"].startswith(wanted), (path, size, status, headers)


def over_kept_connections(lab: Lab, reload: Callable[[], object]) -> tuple[int, int]:
    """Send requests on kept connections while HAProxy is reloaded repeatedly; returns how many broke."""
    over, broken, made = threading.Event(), Counter[str](), Counter[str]()

    def user() -> None:
        connection = connect(lab)
        while not over.is_set():
            made["requests"] += 1
            try:
                connection.request("GET", "/health", headers={"Host": lab.site})
                connection.getresponse().read()
            except (OSError, http.client.HTTPException) as error:
                broken[type(error).__name__] += 1
                connection.close()
            over.wait(0.2)
        connection.close()

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for _ in range(CONNECTIONS):
            pool.submit(user)
        try:
            for _ in range(RELOADS):
                pause(1.5)
                reload()
        finally:
            over.set()
    return made["requests"], broken.total()


def test_a_reload_breaks_no_kept_connection(healthy: Lab, balancer: Machine) -> None:
    """Without the option a reload breaks some, which proves that the test can see it."""

    def reload() -> None:
        balancer.run("systemctl reload haproxy", title="reloads HAProxy")

    made, broken = over_kept_connections(healthy, reload)
    assert made > 200 and broken == 0
    balancer.run(f"sed -i '/{OPTION}/d' /etc/haproxy/haproxy.cfg", title="takes the option away")
    try:
        reload()
        assert over_kept_connections(healthy, reload)[1] > 0
    finally:
        must("lab.provision", timeout=300)
    assert site.healthy(healthy)
