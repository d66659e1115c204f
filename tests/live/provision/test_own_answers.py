"""The answers of HAProxy and nginx themselves: a page for a person, JSON for a program, and a correct status."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.nodes.ssh import Machine
from lab.topology import Lab
from lab.wait import pause, until
from tests.support.visitors import asked

pytestmark = pytest.mark.live
INDEX, SAVED, SEEN_S = "/var/www/site/index.php", "/run/own-answers-index.php", 4
BROKEN = 'if ($_SERVER["REQUEST_URI"] === "/") { throw new Error("broken on purpose"); }'
PHP = "$(systemctl list-units --plain --no-legend 'php*-fpm.service' | cut -d ' ' -f 1)"
PAGE, JSON = "text/html", "application/json"


@pytest.fixture
def failing(healthy: Lab, machines: dict[str, Machine]) -> Iterator[Lab]:
    """web1, where PHP fails on the page but not on the checks. PHP notices another time of a file within 3 s."""
    change = f"cp {INDEX} {SAVED} && sed -i '/^declare(strict_types=1);/a {BROKEN}' {INDEX} && grep -q purpose {INDEX}"
    machines["web1"].script(f"{change} && sleep {SEEN_S}", title="breaks the page")
    try:
        yield healthy
    finally:
        machines["web1"].script(f"mv {SAVED} {INDEX}; touch {INDEX}; sleep {SEEN_S}", title="puts the page back")


@pytest.fixture
def frozen(healthy: Lab, machines: dict[str, Machine]) -> Iterator[Lab]:
    """Freeze PHP on both servers."""
    servers = [machines[node.name] for node in healthy.having("web")]
    for server in servers:
        server.script(f"systemctl kill -s STOP {PHP}", title="freezes PHP")
    try:
        yield healthy
    finally:
        for server in servers:
            server.script(f"systemctl kill -s CONT {PHP}", title="lets PHP go on")


def test_a_server_whose_page_fails_costs_no_reader(failing: Lab) -> None:
    """After a 500 the balancer asks the other server, which can show the page."""
    answers = [asked(failing, "/") for _ in range(8)]
    assert {(status, headers.get("x-served-by")) for status, headers, _ in answers} == {(200, "web2")}


def test_without_an_answer_a_person_reads_a_page_and_a_program_json(frozen: Lab) -> None:
    """A write that was sent is unknown (504); when the checks have failed, nothing more is sent (503)."""
    sent = [("/", "token=own-answer&body=kept"), ("/api/notes", '{"token": "own-answer", "body": "kept?"}')]
    with ThreadPoolExecutor(max_workers=2) as pool:
        writes = list(pool.map(lambda it: asked(frozen, it[0], "POST", it[1], patience_s=40), sent))
    assert [(status, headers["content-type"].split(";")[0]) for status, headers, _ in writes] == [
        (504, PAGE),
        (504, JSON),
    ]
    until("no server is asked", lambda: asked(frozen, "/health")[0] == 503, 30, every=1)
    pause(1)
    reads = [asked(frozen, path) for path in ("/", "/api/notes")]
    assert [
        (status, headers["content-type"].split(";")[0], headers["retry-after"]) for status, headers, _ in reads
    ] == [
        (503, PAGE, "2"),
        (503, JSON, "2"),
    ]
