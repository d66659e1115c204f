"""What the programs of a simulated node answer; their other half is programs.sh.

A program that is neither there nor in REAL is not found.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from tests.unit.simulated.cluster import Cluster
    from tests.unit.simulated.mysql import Server

Answer: TypeAlias = tuple[int, str | None]
REAL = ("cat", "cut", "date", "grep", "head", "sed", "sleep", "sort", "tail", "tr")


def answer(cluster: "Cluster", node: str, words: Sequence[str]) -> Answer:
    """The exit code and the output, each line with a 1 before it; no output: MySQL's client, which has a session."""
    match list(words):
        case ["mysql", *_]:
            return _mysql(cluster.server(node))
        case ["bash", "-c", command]:
            return int(any(f"/{it}/" in command for it in cluster.unreached.get(node, []))), ""
        case ["systemctl", "start", "mysql"]:
            return _start(cluster.server(node))
        case ["ss", "-K", "dst", address, "dport", "=", "3306"]:
            return _disconnect(cluster.server(node), address)
    return 127, f"2{cluster.not_taught(' '.join(words))}\n"


def _mysql(server: "Server") -> Answer:
    if not server.runs:
        return 1, "2ERROR 2002 (HY000): Can't connect to local MySQL server through socket\n"
    if server.silent:
        return 1, "2ERROR 2013 (HY000): Lost connection to MySQL server at 'waiting for initial communication packet'\n"
    return 0, None


def _start(server: "Server") -> Answer:
    with server.cluster.lock:
        server.start()
        server.cluster.judge("systemctl start mysql")
    return 0, ""


def _disconnect(server: "Server", address: str) -> Answer:
    with server.cluster.lock:
        if address == server.replica.source:
            server.replica.deaf = False
        server.cluster.lock.notify_all()
    return 0, ""
