"""What HAProxy does, read from its own statistics."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.errors import InfrastructureBroken
from lab.nodes import haproxy

RECORDED = Path(__file__).parents[1] / "cases/facts/haproxy-3.0-stat.csv"
INFO = "Name: HAProxy\nPid: 4711\nUptime_sec: 12\n\n"


def answer(**changes: str) -> str:
    """The recorded answer, with other words in it."""
    text = INFO + RECORDED.read_text(encoding="utf-8")
    for old, new in changes.items():
        text = text.replace(old, new)
    return text


def test_how_the_reads_are_balanced_is_read_from_their_backend() -> None:
    """Algorithm, mode and persistence; and the age of the process, whose statistics begin with its start."""
    now = haproxy.read(answer())
    assert now.since_s == 12
    assert (now.algorithm, now.mode, now.persistence) == ("roundrobin", "active-active", "none")


def test_each_server_has_its_state_and_its_requests() -> None:
    """Of the backend of the reads: the one of the writes follows it."""
    now = haproxy.read(answer())
    assert [(it.name, it.status, it.weight, it.requests) for it in now.servers] == [
        ("web1", "UP", 100, 227),
        ("web2", "UP", 100, 62),
    ]
    assert all(it.alive for it in now.servers)
    assert not any(it.alive for it in haproxy.read(answer(UP="DOWN")).servers)


@pytest.mark.parametrize("text", ["", INFO, "2026/12/01 socat[1] E connect: Connection refused\n"])
def test_a_haproxy_that_does_not_answer_is_an_error_with_a_next_step(text: str) -> None:
    """It is stopped, or frozen: then socat ends without a word."""
    with pytest.raises(InfrastructureBroken, match="does not answer") as caught:
        haproxy.read(text)
    assert "lab.status" in caught.value.hint


def test_the_algorithm_without_a_name_is_random() -> None:
    """HAProxy's statistics call it unknown."""
    assert haproxy.read(answer(roundrobin="unknown")).algorithm == "random"


def test_a_server_without_weight_is_drained() -> None:
    """HAProxy shows such a server as UP, and sends it no new requests."""
    text = answer()
    for name in ("web1", "web2"):
        text = text.replace(f"web,{name},", f"web,{name},", 1)
    now = haproxy.read(text.replace("UP,100,", "UP,0,"))
    assert [(it.status, it.weight, it.alive) for it in now.servers] == [("DRAIN", 0, True)] * 2


def test_the_requests_that_servers_work_on_are_counted_in_both_backends() -> None:
    """Reads and writes: who left the lab ends them first."""
    machine: Any = SimpleNamespace(script=lambda *_, **__: SimpleNamespace(stdout=working(web1=2, web2=1)))
    assert [haproxy.under_way(machine, names) for names in (["web1"], ["web1", "web2"], ["web3"])] == [4, 6, 0]


def test_a_server_is_taken_out_of_both_backends() -> None:
    """In maintenance not even a visitor's cookie leads to it."""
    sent: list[str] = []
    machine: Any = SimpleNamespace(script=lambda text, **_: sent.append(text))
    haproxy.take_out(machine, ["web3"])
    haproxy.put_back(machine, ["web3"])
    for text, state in zip(sent, ("maint", "ready"), strict=True):
        assert f"set server web/web3 state {state};set server write/web3 state {state}" in text


def working(**open_requests: int) -> str:
    """HAProxy's statistics with so many requests under way on each server, in each of both backends."""
    rows = [f"{backend},{name},0,0,{it}" for backend in haproxy.BACKENDS for name, it in open_requests.items()]
    return "\n".join([INFO + "# pxname,svname,qcur,qmax,scur", *rows, "site,FRONTEND,,,9", "web,BACKEND,0,0,9"])
