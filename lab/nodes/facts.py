"""Queries to a node, one round trip each, and pure parsers of the answers."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from lab.errors import LabError
from lab.mysql import server_state, shutdown
from lab.mysql.server_state import Database
from lab.nodes import console, vm_power
from lab.nodes.services import named
from lab.nodes.show_stat import SOCKET, rows, status
from lab.nodes.ssh import Machine, Shell, together
from lab.release import SERVICES
from lab.topology import Lab, Node

READY_TIMEOUT_S = 20.0
MARK = "=weblab="

BALANCER = f"echo 'show stat' | {SOCKET}"


@dataclass(frozen=True)
class Server:
    """One HAProxy server: `status` is HAProxy's own term; `sessions` and later fields count since HAProxy's start."""

    backend: str
    name: str
    status: str
    weight: int
    check: str
    queue: int = 0
    sessions: int = 0
    errors: int = 0
    retries: int = 0
    redispatches: int = 0


def ready(machine: Machine) -> str:
    """The node's /etc/os-release once it answers on ssh: this shows that it is reachable and which system it runs."""
    return machine.run("cat /etc/os-release", timeout=READY_TIMEOUT_S, title="waits for ssh").stdout


# Asked for one property, systemd sends one; `show` has it send all of a unit's.
SERVICES_ARE = """units=%s
echo $units
systemctl is-active $units 2>/dev/null"""


def services(output: str) -> dict[str, str]:
    """The answer to SERVICES_ARE as unit -> state, without the '.service'; what is not installed has none."""
    names, *states = output.splitlines() or [""]
    units = [name.removesuffix(".service") for name in names.split() if "*" not in name]
    return dict(zip(units, states, strict=False))


def servers(output: str) -> list[Server]:
    """Parse HAProxy's `show stat` into the servers behind the balancer."""
    return [_server(row) for row in rows(output) if row.get("svname") not in {"FRONTEND", "BACKEND", None}]


def queues(output: str) -> dict[str, int]:
    """Parse HAProxy's `show stat` into backend -> requests that wait for a slot, on any of its servers or on one."""
    waiting: dict[str, int] = {}
    for row in rows(output):
        if row.get("svname") not in {"FRONTEND", None}:
            waiting[row["pxname"]] = waiting.get(row["pxname"], 0) + int(row["qcur"] or 0)
    return waiting


def _server(row: Mapping[str, str]) -> Server:
    def number(*names: str) -> int:
        return sum(int(row.get(name) or 0) for name in names)

    words = row["pxname"], row["svname"], status(row)
    counted = number("qcur"), number("stot"), number("econ", "eresp"), number("wretr"), number("wredis")
    return Server(*words, number("weight"), row["check_status"], *counted)


@dataclass(frozen=True)
class NodeFacts:
    """The answers of one node: the states of its units, and the state of HAProxy or MySQL on it."""

    services: Mapping[str, str]
    servers: list[Server] | None
    database: Database | None
    error: str = ""


def requests(output: str) -> int | None:
    """The number of requests the site's frontend has taken since HAProxy's start; None if that is not in the output."""
    for row in rows(output):
        if (row.get("pxname"), row.get("svname")) == ("site", "FRONTEND"):
            return int(row["req_tot"] or 0)
    return None


VERSIONS = f"""haproxy -v 2>/dev/null | head -n 1 | cut -d ' ' -f 1-3
nginx -v 2>&1 | grep nginx/
mysqld --version 2>/dev/null | cut -d ' ' -f 1-4
"$(ls {SERVICES["php-fpm"].binary} 2>/dev/null | head -n 1)" -v | head -n 1 | cut -d ' ' -f 1-2
uname -r"""


def versions(machines: Sequence[Machine]) -> dict[str, str]:
    """The versions of the software on each node, in one line."""
    answers = together(
        lambda machine: machine.script(f"{{ {VERSIONS}\n}} 2>/dev/null; exit 0", title="names versions"), machines
    )
    return {
        machine.node.name: ", ".join(line.strip() for line in it.stdout.splitlines() if line.strip())
        for machine, it in zip(machines, answers, strict=True)
    }


def units(roles: Sequence[str]) -> str:
    """Bash that expands to the units of a node with these roles, as arguments of systemctl."""
    return named(it.unit for role in roles for it in SERVICES.values() if it.role == role)


def ask(machine: Machine, shell: Shell | None = None) -> NodeFacts:
    """Everything that status shows about a node, in one round trip; an unreachable node is a fact too.

    Where there is a `shell` that is ready, it runs the question, as its last.
    """
    roles = machine.node.roles
    script = [SERVICES_ARE % units(roles), f"echo {MARK}"]
    script += [BALANCER if "balancer" in roles else "true", f"echo {MARK}"]
    script += [server_state.QUESTION if "database" in roles else "true"]
    try:
        answer = machine.script("exec 2>&1\n" + "\n".join(script) + "\nexit 0", timeout=15, title="status", shell=shell)
    except LabError as error:
        return NodeFacts({}, None, None, str(error))
    unit_text, balancer_text, database_text = [*answer.stdout.split(f"{MARK}\n"), "", ""][:3]
    return NodeFacts(
        services=services(unit_text),
        servers=servers(balancer_text) if "pxname" in balancer_text else None,
        database=server_state.read(machine.node.name, database_text),
    )


def stopped(facts: Mapping[str, NodeFacts]) -> list[str]:
    """The nodes whose MySQL was stopped in good order: systemd calls one that failed, or starts again, otherwise."""
    return [name for name, it in facts.items() if it.services.get(SERVICES["mysql"].unit) == "inactive"]


def endings(lab: Lab, asked: Mapping[str, Database | None]) -> dict[str, str]:
    """Why each database may have released commits that no replica confirmed; '' if it can't have.

    This is not needed while a server is open. A closed server that answers is asked too: its data may be new.
    """
    if any(it and it.writable for it in asked.values()):
        return {}
    return {name: _ending(lab.node(name)) for name in asked}


def _ending(node: Node) -> str:
    record = ""
    if not vm_power.off_because(node):
        with suppress(LabError):  # a node that does not answer can't show its record, but its console may
            record = Machine(node).script(f"{shutdown.ASK}\nexit 0", timeout=15, title="asks how MySQL ended").stdout
    return ended_because(node, record)


def ended_because(node: Node, record: str) -> str:
    """Why a server that does not answer may have released commits, by the record of its node; '' if it can't have."""
    return shutdown.doubt(node, vm_power.off_because(node), record, console.text(node))


def databases_of(machines: Sequence[Machine], first: str = "") -> dict[str, Database | None]:
    """Ask all database servers at once; None for a server that does not answer, or whose node does not.

    `first` is bash without output that each node runs before.
    """

    def one(machine: Machine) -> Database | None:
        try:
            answer = machine.script(f"{first}\n{server_state.QUESTION}\nexit 0".lstrip(), title="asks the database")
        except LabError:
            return None
        return server_state.read(machine.node.name, answer.stdout)

    return dict(zip((machine.node.name for machine in machines), together(one, machines), strict=True))
