"""Locust, started as a user starts it, against a fake site on 127.0.0.1."""

import json
import re
import socket
import urllib.parse
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from lab.topology import ROOT
from lab.wait import until
from tests.support.fake_site import Site
from tests.support.locust_command import end, start

FILE = "loadtests/site.py"
CASES = Path(__file__).parents[1] / "cases/loadtests"
MANNERS = {"answers", "answers-then-closes", "closes", "resets", "stops-halfway", "refuses", "redirects"}


def locust(checkout: Path, *words: str, file: str = FILE) -> tuple[int, str]:
    """A complete headless run; returns exit code and output."""
    return end(start(checkout, file, "--headless", *words))


def test_requests_seen_are_requests_recorded(checkout: Path, site: Site) -> None:
    """Whatever the server does after reading a request, on a new or a kept connection, it is sent once."""
    code, output = locust(checkout, "-t", "20s", "--host", site.host, file=str(CASES / "every_manner.py"))
    assert code == 1, output
    entries, errors = json.loads((checkout / "statistics.json").read_text(encoding="utf-8"))
    recorded = {(it["method"], it["name"]): it["num_requests"] for it in entries}
    assert recorded == Counter((it.method, it.path) for it in site.seen)
    met = {(it.method, it.path.strip("/"), it.reused) for it in site.seen}
    assert met >= {
        (method, manner, reused) for method in ("GET", "POST") for manner in MANNERS for reused in (False, True)
    }
    assert {name.rpartition(": ")[0] for name in errors} == {
        *(f"GET /{manner}: failed" for manner in MANNERS - {"answers", "answers-then-closes"}),
        *(f"POST /{manner}: unknown" for manner in ("closes", "resets", "stops-halfway", "redirects")),
        "POST /refuses: failed",
    }


def test_readers_and_writers_behave_in_two_processes(checkout: Path, site: Site, tmp_path: Path) -> None:
    """Grouped names, the site's Host header, unique tokens, exit code 0, all requests recorded."""
    report = tmp_path / "report.json"
    words = ("-u", "20", "-r", "20", "-t", "2s", "--processes", "2", "--host", f"{site.host}/")
    code, output = locust(checkout, *words, "--json-file", str(report.with_suffix("")))
    assert code == 0, output
    recorded = {(it["method"], it["name"]): it["num_requests"] for it in json.loads(report.read_text(encoding="utf-8"))}
    seen = Counter((it.method, it.path.replace("a" * 32, "TOKEN")) for it in site.seen)
    assert recorded == seen
    assert {("GET", "/"), ("GET", "/api/notes"), ("POST", "/api/notes")} <= set(seen)
    assert {it.host for it in site.seen} == {"www.foobar.com"}
    written = [json.loads(it.body) for it in site.seen if it.method == "POST"]
    assert len({note["token"] for note in written}) == len(written) and all(note["body"] for note in written)


def test_it_refuses_to_start_towards_anything_but_a_lab_that_is_up(checkout: Path, site: Site) -> None:
    """Exit 2 for a foreign address or a name, 3 if the port is closed; each with the next step, and nothing is sent."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}"
    cases = [
        (ROOT, site.host, 2, "127.0.0.1 is not an address of the lab"),
        (checkout, f"http://localhost:{site.port}", 2, "localhost is not an address of the lab"),
        (checkout, closed, 3, "does not accept connections"),
    ]
    for folder, host, expected, text in cases:
        code, output = locust(folder, "-t", "2s", "--host", host)
        assert code == expected and text in output and "next: " in output, output
    assert site.seen == []


def test_a_host_typed_into_the_browser_is_checked_too(checkout: Path, site: Site) -> None:
    """Locust's page has a field for the host; it offers twenty users, and only this machine can reach it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        page = f"http://127.0.0.1:{free.getsockname()[1]}"
    port = page.rpartition(":")[2]
    log = checkout / "log"
    words = ("--host", site.host, "--web-port", port, "--logfile", str(log))
    with start(checkout, FILE, *words) as process:
        try:
            until("the page is there", lambda: process.poll() is None and _listens(int(port)), 20, every=0.1)
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(page, timeout=10) as answer:
                assert re.search(r'"num_users": 20\b', answer.read().decode())
            form = {"user_count": "3", "spawn_rate": "3", "host": f"http://localhost:{site.port}"}
            with opener.open(f"{page}/swarm", urllib.parse.urlencode(form).encode(), timeout=10) as answer:
                assert json.load(answer)["success"]
            until("it is refused", lambda: "Stopping Locust" in log.read_text(), 10, every=0.1)
        finally:
            process.terminate()
            process.wait(20)
    assert f"Starting web interface at {page}," in log.read_text()
    assert "localhost is not an address of the lab" in log.read_text()
    assert site.seen == []


@pytest.mark.parametrize("file", [FILE, "loadtests/open_loop.py"])
def test_only_this_machine_reaches_the_port_where_processes_report(checkout: Path, site: Site, file: str) -> None:
    """127.0.0.2 is an address of this machine too; it represents all others."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["--headless", "--host", site.host, "--processes", "2"]
    words += ["--master-bind-port", str(port), "--master-port", str(port)]
    words += [] if file == FILE else ["--rate", "1", "--record", str(checkout / "record")]
    with start(checkout, file, *words) as process:
        try:
            until("it listens", lambda: process.poll() is None and _listens(port), 20, every=0.1)
            assert not _listens(port, "127.0.0.2")
        finally:
            process.terminate()
            process.wait(20)


def test_a_spike_that_is_refused_is_no_failure(checkout: Path, site: Site) -> None:
    """Exit code 0: a spike is meant to be refused."""
    code, output = locust(checkout, "--host", site.host, file=str(CASES / "refused_spike.py"))
    assert code == 0, output
    assert "GET /refuses" in output.replace("GET      ", "GET ") and len(site.seen) > 0


@pytest.mark.parametrize(("loses", "code"), [(False, 0), (True, 1)], ids=["kept", "lost"])
def test_a_lost_session_is_a_failure(checkout: Path, site: Site, loses: bool, code: int) -> None:
    """Each visitor comes back with the cookie, on any connection; the site answers 200 either way."""
    site.loses_sessions = loses
    ended, output = locust(
        checkout, "-u", "2", "-r", "2", "-t", "5s", "--host", site.host, file="loadtests/sessions.py"
    )
    assert ended == code and ("does not know the session" in output) == loses, output
    assert {it.path for it in site.seen} == {"/api/visits"}
    assert sum(it.cookie == "" for it in site.seen) == 2 < len(site.seen)


def _listens(port: int, address: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0
