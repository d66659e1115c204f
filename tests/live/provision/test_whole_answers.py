"""nginx sends an answer of PHP completely or not at all: if it dies in the middle of one, no reader notices."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.nodes import route, site
from lab.nodes.ssh import Machine
from lab.topology import Lab

pytestmark = pytest.mark.live
INDEX, SAVED = "/var/www/site/index.php", "/run/whole-index.php"
HALF, PAUSE_S, DIES_AT_S, SEEN_S = 8192, 3, 1.0, 4
SLOW = (
    'if (isset($_GET["slowly"])) { header("Content-Type: text/plain"); '
    f'echo str_repeat("a", {HALF}); flush(); sleep({PAUSE_S}); echo str_repeat("b", {HALF}); exit; }}'
)


@pytest.fixture
def slow(healthy: Lab, machines: dict[str, Machine]) -> Iterator[Machine]:
    """web2, whose page pauses in the middle if a request asks for it; PHP notices a changed file within 3 s."""
    machine = machines["web2"]
    change = f"cp {INDEX} {SAVED} && sed -i '/^declare(strict_types=1);/a {SLOW}' {INDEX} && grep -q slowly {INDEX}"
    machine.script(f"{change} && sleep {SEEN_S}", title="makes the page slow")
    try:
        yield machine
    finally:
        machine.script(f"mv {SAVED} {INDEX}; systemctl start nginx; sleep {SEEN_S}", title="puts the page back")


@pytest.fixture
def kill(slow: Machine) -> Callable[[], object]:
    """Kill nginx at once: a shell already waits on the node, because starting one takes longer than the pause."""
    shell = slow.ready("cd /sys/fs/cgroup/system.slice/nginx.service", title="is ready to kill nginx")
    return lambda: slow.script("echo 1 > cgroup.kill", title="kills nginx", shell=shell)


def asked_of_web2(lab: Lab) -> tuple[bytes, float]:
    """Request the slow page from nginx on web2; returns the answer, and after how many seconds its first byte came.

    With HTTP/1.0, which has no chunks, so that the answer does not show where PHP's records end.
    """
    address = str(lab.node("web2").ip)
    route.guard(lab, address)
    received, first = b"", 0.0
    with socket.create_connection((address, 80), timeout=10) as connection:
        start = time.monotonic()
        connection.sendall(f"GET /?slowly HTTP/1.0\r\nHost: {lab.site}\r\n\r\n".encode())
        try:
            while part := connection.recv(65536):
                received += part
                first = first or time.monotonic() - start
        except ConnectionResetError:
            pass
    return received, first


def test_no_byte_leaves_before_the_answer_is_complete(healthy: Lab, slow: Machine) -> None:
    """Then all of it is sent."""
    received, first = asked_of_web2(healthy)
    assert first > PAUSE_S - 0.5
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert body == b"a" * HALF + b"b" * HALF


def test_who_is_killed_in_the_middle_has_sent_nothing(healthy: Lab, kill: Callable[[], object]) -> None:
    """Not even a header was sent."""
    timer = threading.Timer(DIES_AT_S, kill)
    timer.start()
    assert asked_of_web2(healthy) == (b"", 0.0)
    timer.join()


def test_the_balancer_gets_it_from_the_other_server(healthy: Lab, kill: Callable[[], object]) -> None:
    """One of two readers is sent to web2, where nginx dies; both get their page from web1."""
    timer = threading.Timer(DIES_AT_S, kill)

    def read(_: int) -> tuple[site.Response, float]:
        start = time.monotonic()
        return site.fetch(healthy, "/?slowly"), time.monotonic() - start

    with ThreadPoolExecutor(2) as readers:
        timer.start()
        pages = list(readers.map(read, range(2)))
    timer.join()
    assert [(page.status, page.headers["x-served-by"]) for page, _ in pages] == [(200, "web1")] * 2
    assert all(page.text.rstrip().endswith("</html>") for page, _ in pages)
    assert max(took for _, took in pages) > DIES_AT_S - 0.2
