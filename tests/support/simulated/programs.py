"""The answers of the programs of a simulated node; the other half is programs.sh.

A program that is neither here nor in REAL is not found.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from tests.support.simulated.gtid_sets import minus

if TYPE_CHECKING:
    from tests.support.simulated.cluster import Cluster
    from tests.support.simulated.mysql import Server

Answer: TypeAlias = tuple[int, str | None]
REAL = (
    "cat",
    "cut",
    "date",
    "dd",
    "grep",
    "head",
    "mkdir",
    "rm",
    "sed",
    "sh",
    "sleep",
    "sort",
    "tail",
    "timeout",
    "tr",
)


def answer(cluster: "Cluster", node: str, words: Sequence[str]) -> Answer:
    """The exit code and the output, each line with a 1 before it; no output for MySQL's client, which has a session."""
    match list(words):
        case ["mysql", *_]:
            return _mysql(cluster.server(node))
        case ["bash", "-c", command]:
            return int(any(f"/{it}/" in command for it in cluster.unreached.get(node, []))), ""
        case ["systemctl", "start", "mysql"]:
            return _start(cluster.server(node))
        case ["systemctl", "is-active", "mysql"]:
            runs = cluster.server(node).runs
            return (0, "1active\n") if runs else (3, "1inactive\n")
        case ["systemctl", "kill", "-s", "KILL", "mysql"]:
            cluster.crash(cluster.server(node))
            return 0, ""
        case ["systemctl", "reset-failed", "mysql"] | ["true"]:
            return 0, ""
        case ["df", "-h", "/var/lib/mysql"]:
            return 0, f"1/dev/vda1 10G 10G {'0' if cluster.server(node).broken else '5G'} /\n"
        case ["mysqlbinlog", *options]:
            return 0, _binary_log(cluster.server(node), options)
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
        return int(not server.runs), ""


def _binary_log(server: "Server", options: Sequence[str]) -> str:
    """The content of the binary log for the requested transactions."""
    wanted = next(it for it in options if it.startswith("--include-gtids=")).partition("=")[2]
    missing = minus(wanted, minus(server.executed, server.purged))
    return "".join(f"1SET @@SESSION.GTID_NEXT= '{it}'/*!*/;\n" for it in minus(wanted, missing).split(",") if it)


def _disconnect(server: "Server", address: str) -> Answer:
    with server.cluster.lock:
        if address == server.replica.source:
            server.replica.deaf = False
        server.cluster.lock.notify_all()
    return 0, ""
