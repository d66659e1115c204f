"""The record of an experiment's load: what it says about a request, and when it is written."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import IPv4Network
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from lab import topology
from lab.analysis.load_record import merge
from lab.clock import now
from lab.errors import BadInput, LabNotUp
from lab.topology import Lab
from loadtests.record import Record, Request
from loadtests.request import Site, Visit
from loadtests.target_guard import LabAdapter, TargetGuard
from tests.support import fake_site

LAB = replace(topology.load(), network=IPv4Network("127.0.0.0/8"))
WRITE = Request("POST", "/api/notes", 1.0, 1.5, "t1")


def test_a_write_without_an_end_is_unknown(tmp_path: Path) -> None:
    """It was sent and its generator died. For a write with an end, the end counts."""
    record = Record(tmp_path / "machine", "1")
    record.intend(WRITE)
    record.intend(replace(WRITE, token="t2", intended=0.5))
    record.end(replace(WRITE, ended=2.0, status=201, outcome="ok", reason="", served_by="web1", db="web2"))
    cut_off, complete = merge(tmp_path)
    assert (cut_off["token"], cut_off["kind"], cut_off["outcome"], cut_off["ended"]) == (
        "t2",
        "request",
        "unknown",
        None,
    )
    assert complete == {
        **{"at": 1.0, "observer": "client", "kind": "request", "method": "POST", "name": "/api/notes", "intended": 1.0},
        **{"sent": 1.5, "ended": 2.0, "status": 201, "outcome": "ok", "reason": "", "served_by": "web1", "db": "web2"},
        **{"token": "t1", "process": "1"},
    }


def test_machines_and_processes_are_merged_into_one(tmp_path: Path) -> None:
    """In the order of their intended times, without loss; processes on two machines may have the same number."""
    for place, (machine, process) in enumerate(product(("east", "west"), ("0", "1"))):
        record = Record(tmp_path / machine, process)
        for number in range(place, 40, 4):
            write = replace(WRITE, token=f"t{number}", intended=float(number), sent=number + 0.5)
            record.intend(write)
            if number != 22:
                record.end(replace(write, ended=number + 9.0 - place, outcome="ok"))
        record.end(Request("GET", "/", 100.0, 100.0, ended=101.0))
    merged = merge(tmp_path)
    assert [it["token"] for it in merged] == [*(f"t{number}" for number in range(40)), *[""] * 4]
    assert [it["token"] for it in merged if it["outcome"] == "unknown" and it["method"] == "POST"] == ["t22"]
    assert {it["process"] for it in merged} == {"0", "1"} and {it["kind"] for it in merged} == {"request"}


def test_a_file_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """Requests in a full or partial copy would count twice; an empty record is no copy."""
    for process in ("0", "1", "2"):
        Record(tmp_path / "east", process).close()
    record = Record(tmp_path / "east", "3")
    record.end(WRITE)
    shutil.copytree(tmp_path / "east", tmp_path / "west")
    record.end(replace(WRITE, token="t2"))
    with pytest.raises(BadInput, match=r"west/requests-3\.jsonl is a copy of .*east/requests-3\.jsonl"):
        merge(tmp_path)
    (tmp_path / "west" / "requests-3.jsonl").unlink()
    assert [it["token"] for it in merge(tmp_path)] == ["t1", "t2"]


@pytest.mark.parametrize("last", ["", "{", '{"at": 1.0, "observer": "client", "kind": "reque'])
def test_a_line_cut_off_by_a_crash_is_dropped(tmp_path: Path, last: str) -> None:
    """Only the last line: with a broken line elsewhere the file is no record."""
    Record(tmp_path, "0").end(WRITE)
    path = tmp_path / "requests-0.jsonl"
    path.write_text(path.read_text() + last)
    assert len(merge(tmp_path)) == 1
    path.write_text(f"{last}x\n{path.read_text()}")
    with pytest.raises(BadInput, match=r"requests-0\.jsonl: line 1"):
        merge(tmp_path)


def test_a_record_is_never_continued(tmp_path: Path) -> None:
    """A second run in the folder is refused, and so is a folder that cannot be created."""
    Record(tmp_path, "0").close()
    with pytest.raises(BadInput, match="already holds a record"):
        Record(tmp_path, "0")
    with pytest.raises(BadInput, match="no record can be made"):
        Record(tmp_path / "requests-0.jsonl", "0")


@pytest.fixture
def wished(site: fake_site.Site, tmp_path: Path) -> Iterator[Callable[..., dict[str, Any]]]:
    """Send one request to the fake site and return its entry in the record."""
    record = Record(tmp_path, "0")

    def wish(
        manner: str, visit: Visit, host: str = site.host, adapter: Callable[[Lab], HTTPAdapter] = LabAdapter
    ) -> Any:
        site.manner = lambda _: manner
        Site(LAB, host, record, adapter).visit(visit)
        return merge(tmp_path)[-1]

    yield wish
    record.close()


@pytest.mark.parametrize(
    ("method", "manner", "expected"),
    [
        ("POST", "answers", (201, "ok", "", "web1", "web2")),
        ("POST", "refuses", (503, "failed", "HTTP 503", "", "")),
        ("GET", "has-no-room", (503, "failed", "HTTP 503 queue timeout", "", "")),
        ("POST", "closes", (0, "unknown", "no whole answer (ConnectionError)", "", "")),
        ("POST", "stops-halfway", (0, "unknown", "no whole answer (ChunkedEncodingError)", "", "")),
        ("GET", "answers", (200, "ok", "", "web1", "web2")),
        ("GET", "answers-wrongly", (200, "failed", "not the note", "web1", "web2")),
        ("GET", "lacks", (404, "failed", "HTTP 404", "web1", "")),
        ("GET", "redirects", (307, "failed", "HTTP 307", "", "")),
        ("GET", "resets", (0, "failed", "no whole answer (ConnectionError)", "", "")),
    ],
)
def test_what_is_recorded_of_a_request(
    wished: Callable[..., dict[str, Any]], method: str, manner: str, expected: tuple[Any, ...]
) -> None:
    """Status, outcome, reason, the servers that answered, and the times in order."""
    begin = now()
    entry = wished(manner, Visit(method, "/api/notes/t1", "/api/notes/TOKEN", begin, "t1"))
    assert tuple(entry[key] for key in ("status", "outcome", "reason", "served_by", "db")) == expected
    assert begin == entry["at"] == entry["intended"] <= entry["sent"] <= entry["ended"] <= now()


def test_the_intent_of_a_write_is_on_record_before_the_site_sees_it(site: fake_site.Site, tmp_path: Path) -> None:
    """So a write stays known even if the generator is killed."""
    known: list[str] = []

    def look(_: fake_site.Seen) -> str:
        known.extend(entry["token"] for entry in merge(tmp_path) if entry["outcome"] == "unknown")
        return "answers"

    site.manner = look
    Site(LAB, site.host, Record(tmp_path, "0")).visit(Visit("POST", "/api/notes", "/api/notes", now(), "t1"))
    assert known == ["t1"]


def test_a_balancer_that_is_gone_fails_requests_and_stops_nothing(
    wished: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The balancer may be down on purpose: the route to the lab matters, not whether the lab answers."""
    monkeypatch.setattr("lab.nodes.route._source", lambda _: LAB.network[1])
    with fake_site.running() as gone:
        host = gone.host
    for method in ("GET", "POST"):
        entry = wished("", Visit(method, "/api/notes", "/api/notes", now(), method), host)
        assert (entry["status"], entry["outcome"], entry["reason"]) == (0, "failed", "not connected")
    guard = TargetGuard(LAB)
    assert guard.lost(host) is None
    with pytest.raises(LabNotUp):
        guard.reach(host)


@pytest.mark.parametrize(("retries", "reached"), [(None, 1), (Retry(total=1, allowed_methods=None), 2)])
def test_the_count_at_the_site_tells_a_client_that_sends_again(
    site: fake_site.Site, wished: Callable[..., dict[str, Any]], tmp_path: Path, retries: Retry | None, reached: int
) -> None:
    """The site counts more requests than such a client records."""
    adapter = (lambda _: HTTPAdapter(max_retries=retries)) if retries else LabAdapter
    wished("closes", Visit("POST", "/api/notes", "/api/notes", now(), "t1"), adapter=adapter)
    assert (len(site.seen), len(merge(tmp_path))) == (reached, 1)
