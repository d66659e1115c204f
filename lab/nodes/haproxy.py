"""What HAProxy does now, by its own statistics: how it balances, and each server's state and requests."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.errors import InfrastructureBroken
from lab.nodes.show_stat import SOCKET, rows, status
from lab.nodes.ssh import Machine

BACKEND = "web"
BACKENDS = (BACKEND, "write")
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
    """Ask the HAProxy of a node; raises InfrastructureBroken if it does not answer."""
    return read(machine.script(ASK, title="asks HAProxy").stdout)


def set_weights(machine: Machine, weights: Mapping[str, int]) -> None:
    """Change weights in the process that runs now: after a reload it serves visitors' idle connections once more.

    One that does not run needs no change: its next start reads the file.
    """
    servers = [(f"{backend}/{name}", it) for name, it in weights.items() for backend in BACKENDS]
    orders = [f"set server {server} weight {it}" for server, it in servers]
    orders += [f"set server {server} state ready" for server, it in servers if it]
    machine.script(f"echo '{';'.join(orders)}' | {SOCKET} || true", title="changes weights in HAProxy")


def take_out(machine: Machine, names: Iterable[str]) -> None:
    """Send these servers no more requests, not even of visitors who are bound to them; they end those under way."""
    _set_state(machine, names, "maint")


def put_back(machine: Machine, names: Iterable[str]) -> None:
    """Send these servers requests again."""
    _set_state(machine, names, "ready")


def _set_state(machine: Machine, names: Iterable[str], state: str) -> None:
    orders = [f"set server {backend}/{name} state {state}" for name in names for backend in BACKENDS]
    machine.script(f"echo '{';'.join(orders)}' | {SOCKET}", title=f"sets the servers' state in HAProxy: {state}")


def under_way(machine: Machine, names: Collection[str]) -> int:
    """The requests that these servers work on, reads and writes."""
    table = machine.script(ASK, title="asks HAProxy").stdout.partition("# pxname")[2]
    found = rows(f"pxname{table}")
    return sum(int(row["scur"]) for row in found if row["pxname"] in BACKENDS and row["svname"] in names)


def read(output: str) -> BalancerNow:
    """Parse `show info` and `show stat`; raises InfrastructureBroken if they are not there.

    https://docs.haproxy.org/3.0/management.html#9.1
    """
    info, _, table = output.partition("# pxname")
    facts = dict(line.split(": ", 1) for line in info.splitlines() if ": " in line)
    found = [row for row in rows(f"pxname{table}") if row["pxname"] == BACKEND]
    backend = next((row for row in found if row["svname"] == "BACKEND"), None)
    if backend is None or "Uptime_sec" not in facts:
        hint = "see what it does: invoke lab.status, invoke lab.logs"
        raise InfrastructureBroken("HAProxy does not answer on its socket", evidence=output[-500:], hint=hint)
    servers = tuple(_server(row) for row in found if row is not backend)
    algorithm = NAMES.get(backend["algo"], backend["algo"])
    return BalancerNow(int(facts["Uptime_sec"]), algorithm, backend["cookie"], servers)


def _server(row: dict[str, Any]) -> ServerNow:
    numbers = int(row["weight"]), row["bck"] == "1", int(row["scur"]), int(row["stot"])
    return ServerNow(row["svname"], status(row), *numbers)
