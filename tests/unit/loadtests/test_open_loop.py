"""The load of an experiment, started as a command, against a fake site on 127.0.0.1."""

import json
import math
import random
import socket
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from subprocess import Popen
from typing import Any

from lab.analysis.load_record import merge
from lab.wait import pause, until
from tests.support import fake_site
from tests.support.fake_site import Seen, Site
from tests.support.locust_command import end, start, stop

FREEZE_S = 2.0
What = tuple[str, str, str]


def load(checkout: Path, host: str, folder: Path, *words: str) -> "Popen[str]":
    """Start Locust with the open loop and a folder for the record."""
    words = ("--headless", "--host", host, "--record", str(folder), *words)
    return start(checkout, "loadtests/open_loop.py", *words)


def seen(site: Site) -> Counter[What]:
    """The requests that reached the site: method, name as in the record, token."""
    return Counter(_what(request) for request in site.seen)


def recorded(entries: Iterable[dict[str, Any]]) -> Counter[What]:
    """The requests of a record, in the same form."""
    return Counter((entry["method"], entry["name"], entry["token"]) for entry in entries)


def _what(request: Seen) -> What:
    if request.method == "POST":
        return "POST", request.path, json.loads(request.body)["token"]
    before, slash, token = request.path.partition("/api/notes/")
    return "GET", f"{before}{slash}TOKEN" if token else request.path, token


def p99(seconds: Iterable[float]) -> float:
    """The 99th percentile: of a hundred values the second largest."""
    longest = sorted(seconds)
    return longest[math.ceil(0.99 * len(longest)) - 1]


def closed_port() -> str:
    """A closed port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return str(taken.getsockname()[1])


def figures_of_locust(folder: Path) -> list[dict[str, Any]]:
    """Locust's own counts, a row for each method and name."""
    rows: list[dict[str, Any]] = json.loads((folder / "figures.json").read_text())
    return rows


def any_of(*manners: str) -> Any:
    """A random behaviour of the site; half of the time a plain answer."""
    draw = random.Random(4)
    return lambda _: draw.choice([*manners, *["answers"] * len(manners)])


def test_requests_seen_are_requests_recorded_and_none_is_left_out(checkout: Path, site: Site, tmp_path: Path) -> None:
    """Whatever the site does, each request is sent in time, once, and on its own connection."""
    site.manner = any_of("closes", "resets", "stops-halfway", "refuses", "redirects", "lacks", "slow")
    with load(checkout, site.host, tmp_path, "-t", "3s", "--rate", "40", "--write-share", "0.4") as locust:
        code, output = end(locust)
    assert code == 0, output
    entries = merge(tmp_path)
    assert recorded(entries) == seen(site)
    assert not any(request.reused for request in site.seen)
    assert {request.host for request in site.seen} == {"www.foobar.com"}
    sent = [entry["sent"] for entry in entries]
    assert (len(sent) - 1) / (max(sent) - min(sent)) >= 0.98 * 40
    assert {entry["outcome"] for entry in entries} == {"ok", "failed", "unknown"}
    assert {(entry["served_by"], entry["db"]) for entry in entries if entry["outcome"] == "ok"} == {("web1", "web2")}
    figures = json.loads((tmp_path / "generator-0.json").read_text())
    assert figures["dispatched"] == figures["intended"] == len(entries)
    assert 0 < figures["cpu_s"] < figures["wall_s"] and figures["late_p99_s"] <= figures["late_max_s"] < 1


def test_a_freeze_is_felt_by_all_who_come_during_it(checkout: Path, tmp_path: Path) -> None:
    """The rate continues, and each wait counts from the intended time. A closed loop of one user waits only once."""
    with fake_site.running() as open_site, fake_site.running() as closed_site:
        open_loop = load(checkout, open_site.host, tmp_path / "open", "--rate", "40")
        figures = ("--json-file", str(tmp_path / "figures"))
        closed_loop = load(checkout, closed_site.host, tmp_path / "closed", "--rate", "40", "--at-once", "1", *figures)
        sites = (open_site, closed_site)
        until("the load runs", lambda: min(len(site.seen) for site in sites) > 20, 20, every=0.02)
        for site in sites:
            site.awake.clear()
        pause(FREEZE_S)
        for site in sites:
            site.awake.set()
        until("all have come", lambda: min(len(site.seen) for site in sites) > 120, 20, every=0.02)
        for locust in (open_loop, closed_loop):
            code, output = stop(locust)
            assert code == 0, output
    came = [entry for entry in merge(tmp_path / "open") if entry["ended"] - entry["intended"] > 0.1]
    assert len(came) > 0.8 * FREEZE_S * 40
    assert p99(entry["sent"] - entry["intended"] for entry in came) < 0.2
    one_user = merge(tmp_path / "closed")
    felt = [entry["ended"] - entry["intended"] for entry in one_user]
    measured = [entry["ended"] - entry["sent"] for entry in one_user]
    assert len([seconds for seconds in measured if seconds > 0.9 * FREEZE_S]) == 1
    shown = sum((Counter(row["response_times"]) for row in figures_of_locust(tmp_path)), Counter())
    assert len([ms for ms in shown.elements() if float(ms) > 500 * FREEZE_S]) > 0.4 * FREEZE_S * 40
    assert p99(felt) > 0.8 * FREEZE_S and p99(felt) > 10 * p99(measured)


def test_a_killed_generator_loses_no_write(checkout: Path, site: Site, tmp_path: Path) -> None:
    """kill -9: the record has every write that the site got or acknowledged; a write under way is unknown."""
    site.manner = any_of("slow")
    with load(checkout, site.host, tmp_path, "--rate", "40", "--write-share", "0.8") as locust:
        until("some writes are over", lambda: len(site.acknowledged) > 20, 20, every=0.02)
        locust.kill()
    until("the site has answered all", lambda: len(site.acknowledged) == len(_tokens(site)), 5, every=0.1)
    writes = {entry["token"]: entry for entry in merge(tmp_path) if entry["method"] == "POST"}
    assert set(site.acknowledged) == set(_tokens(site)) <= set(writes)
    assert {entry["outcome"] for entry in writes.values()} == {"ok", "unknown"}
    assert all((entry["ended"] is None) == (entry["outcome"] == "unknown") for entry in writes.values())


def test_two_processes_share_the_load(checkout: Path, site: Site, tmp_path: Path) -> None:
    """Together their records equal what the site saw, no token is used twice, and Locust's figures agree."""
    site.manner = any_of("slow")
    words = ("--rate", "40", "--write-share", "0.5", "--processes", "2", "--json-file", str(tmp_path / "figures"))
    port = closed_port()  # Locust's default port may be in use by another run
    ports = ("--master-port", port, "--master-bind-port", port)
    with load(checkout, site.host, tmp_path, *words, *ports) as locust:
        until("the load runs", lambda: len(site.seen) > 60, 20, every=0.02)
        code, output = stop(locust)
    assert code == 0, output
    entries = merge(tmp_path)
    assert recorded(entries) == seen(site)
    assert len(set(_tokens(site))) == len(_tokens(site))
    sent = [[entry["sent"] for entry in entries if entry["process"] == process] for process in ("0", "1")]
    begun, over = max(map(min, sent)), min(map(max, sent))  # one may begin and end later than the other
    parts = [sum(begun <= at <= over for at in times) for times in sent]
    assert min(parts) > 10 and abs(parts[0] - parts[1]) < 10
    assert sum(row["num_requests"] for row in figures_of_locust(tmp_path)) == len(entries)


def test_it_says_why_there_is_no_load(checkout: Path, site: Site, tmp_path: Path) -> None:
    """Exit 2 with all wrong values at once, the host included; 3 if the port is closed; 4 if nothing was recorded."""
    closed = f"http://127.0.0.1:{closed_port()}"
    wrong = ("--rate", "0", "--write-share", "2", "--seed", "x", "--record", "", "--at-once", "-1")
    cases = [
        (load(checkout, "http://localhost", tmp_path, *wrong), 2, [*wrong[::2], "localhost is not an address"]),
        (load(checkout, closed, tmp_path / "other"), 3, ["does not accept connections", "next: "]),
        (load(checkout, site.host, tmp_path, "--rate", "0.01", "-t", "1s"), 4, []),
    ]
    for locust, expected, texts in cases:
        code, output = end(locust)
        assert code == expected and all(text in output for text in texts), output
    assert site.seen == []


def _tokens(site: Site) -> list[str]:
    return [token for method, _, token in seen(site).elements() if method == "POST"]
