"""A DNS question over the wire: to a real socket of this machine, which answers as dnsmasq does."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from lab import topology
from lab.errors import Unreachable
from lab.nodes import name_server, route
from lab.topology import Lab

LAB = topology.load()
KNOWN = b"\3www\6foobar\3com\0"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """The lab, whose name server is a thread that knows one name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                question, client = udp.recvfrom(512)
                if question == b"over":
                    return
                known = KNOWN in question
                header = question[:2] + b"\x85\x80\0\1" + (b"\0\1" if known else b"\0\0") + b"\0\0\0\0"
                record = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + IPv4Address("192.168.56.10").packed if known else b""
                udp.sendto(header + question[12:] + record, client)

        thread = threading.Thread(target=serve)
        thread.start()
        monkeypatch.setattr(name_server, "PORT", udp.getsockname()[1])
        monkeypatch.setattr(route, "guard", lambda lab, address: None)
        nodes = tuple(replace(node, ip=IPv4Address("127.0.0.1")) for node in LAB.nodes)
        yield replace(LAB, nodes=nodes)
        udp.sendto(b"over", udp.getsockname())
        thread.join()


def test_a_known_name_has_an_address(server: Lab) -> None:
    """As its record says."""
    assert name_server.resolve(server, "www.foobar.com", 5) == "192.168.56.10"


def test_an_unknown_name_has_none(server: Lab) -> None:
    """An answer without a record is an answer."""
    assert name_server.resolve(server, "www.example.com", 5) == ""


def test_a_server_that_does_not_answer_is_waited_for_until_the_deadline(
    server: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its port is closed, or it is frozen."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        monkeypatch.setattr(name_server, "PORT", silent.getsockname()[1])
        with pytest.raises(Unreachable, match="no answer of the name server"):
            name_server.resolve(server, "www.foobar.com", 0.1)
