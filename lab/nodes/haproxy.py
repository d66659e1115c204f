"""What HAProxy does now, by its own statistics: how it balances, and each server's state and requests."""

import csv
import io
from dataclasses import dataclass
from typing import Any

from lab.nodes.facts import status
from lab.nodes.ssh import Machine

BACKEND = "web"
SOCKET = "socat -t 5 - UNIX-CONNECT:/run/haproxy/admin.sock"
ASK = f"echo 'show info;show stat' | {SOCKET}"
# The statistics have no name for `random`: backend_lb_algo_str() in HAProxy's src/backend.c.
NAMES = {"unknown": "random"}
ALIVE = ("UP", "DRAIN", "no check")


@dataclass(frozen=True)
class ServerNow:
    """One web server: `open` are requests that it works on, `requests` those since HAProxy's last reload."""

    name: str
    status: str
    weight: int
    backup: bool
    open: int
    requests: int

    @property
    def alive(self) -> bool:
        """Whether its checks succeed, so that it could serve."""
        return self.status.startswith(ALIVE)


@dataclass(frozen=True)
class BalancerNow:
    """How the reads are balanced. `cookie`: its name, '' without; `since_s`: seconds since HAProxy's last reload."""

    since_s: int
    algorithm: str
    cookie: str
    servers: tuple[ServerNow, ...]

    @property
    def mode(self) -> str:
        """Active-passive if a server is only a backup."""
        return "active-passive" if any(it.backup for it in self.servers) else "active-active"

    @property
    def persistence(self) -> str:
        """How visitors are kept at their server."""
        return "cookie" if self.cookie else "none"


def ask(machine: Machine) -> BalancerNow:
    """Ask the HAProxy of a node; raises CommandFailed if it does not answer."""
    return read(machine.script(ASK, title="asks HAProxy").stdout)


def read(output: str) -> BalancerNow:
    """Parse `show info` and `show stat`: https://docs.haproxy.org/3.0/management.html#9.1."""
    info, _, table = output.partition("# pxname")
    facts = dict(line.split(": ", 1) for line in info.splitlines() if ": " in line)
    rows = [row for row in csv.DictReader(io.StringIO(f"pxname{table}")) if row["pxname"] == BACKEND]
    backend = next(row for row in rows if row["svname"] == "BACKEND")
    servers = tuple(_server(row) for row in rows if row is not backend)
    algorithm = NAMES.get(backend["algo"], backend["algo"])
    return BalancerNow(int(facts["Uptime_sec"]), algorithm, backend["cookie"], servers)


def _server(row: dict[str, Any]) -> ServerNow:
    numbers = int(row["weight"]), row["bck"] == "1", int(row["scur"]), int(row["stot"])
    return ServerNow(row["svname"], status(row), *numbers)
