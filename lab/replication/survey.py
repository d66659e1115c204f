"""The queries before a promotion is decided, all at once: both servers, and which nodes can reach them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from lab.errors import LabError, Unreachable
from lab.mysql import last_seen, server_state, shutdown
from lab.mysql.data_loss import Situation
from lab.mysql.server_state import Database
from lab.nodes import vm_power
from lab.nodes.facts import MARK, ended_because
from lab.nodes.ssh import Machine, Shell, together
from lab.replication.session import END_ALL, client
from lab.replication.switchover import Roles
from lab.topology import Lab, Node

CUT_OFF = "=cut-off="
CANDIDATE_S = 20  # a busy server may take long to accept a client, and without one it can't be promoted
# Ends the clients of earlier commands first. The kernel shows whether MySQL runs, without starting a program.
ASK = f"""{END_ALL}
{server_state.QUESTION}
echo {MARK}
read -r pid 2>/dev/null < /sys/fs/cgroup/system.slice/mysql.service/cgroup.procs && echo runs || echo dead
echo {MARK}
{shutdown.ASK}
echo {MARK}"""


@dataclass(frozen=True)
class Look:
    """The answer of a server; `dead`: MySQL certainly does not run there, and starts read-only."""

    database: Database | None = None
    dead: bool = False
    record: str = ""  # of its MySQL's starts and ends
    reaches: bool = True  # the other server's node, over the lab's network
    shell: Shell | None = None  # of the candidate: its client connects while the other server is waited for


def ask(lab: Lab, roles: Roles) -> tuple[Situation, bool, Shell | None]:
    """Ask both servers, and the balancer what it reaches, at once; also return whether the other MySQL is dead.

    The candidate's client connects meanwhile: that takes seconds, and so does waiting for a node that is gone.
    """
    node, other = roles.node.node, roles.other.node
    states = vm_power.states(lab)
    if states[node.name] != "running":
        raise Unreachable(f"{node.name} can't be promoted: it is {states[node.name]}", hint="invoke lab.up")
    balancer = Machine(lab.having("balancer")[0])
    there = states[other.name] == "running"
    works: dict[str, Callable[[], Any]] = {node.name: lambda: _connected(roles.node, _reach(other) if there else ":")}
    if there:
        works |= {other.name: lambda: _look(roles.other), balancer.node.name: lambda: _reaches(balancer, other)}
    machines = [machine for machine in (roles.node, roles.other, balancer) if machine.node.name in works]
    asked_at = time.time()
    answers = dict(
        zip((it.node.name for it in machines), together(lambda it: works[it.node.name](), machines), strict=True)
    )
    own, rival = answers[node.name], answers.get(other.name, Look(dead=states[other.name] in vm_power.OFF))
    open_ = rival.database is not None and rival.database.writable
    ended = "" if open_ else ended_because(other, rival.record)
    if own.database is None:
        hint = "see what the machine is doing: invoke lab.status"
        raise Unreachable(f"{node.name} can't be promoted: its MySQL does not answer", hint=hint)
    last_seen.remember(asked_at, [own.database, rival.database])
    reached = own.reaches or answers.get(balancer.node.name, True)
    known = reached, last_seen.recall(), time.time(), ended, states[other.name] == "absent"
    situation = Situation(node, other, own.database, rival.database, *known)
    return situation, rival.dead, own.shell


def _look(machine: Machine, besides: str = ":", connect_s: int = server_state.CONNECT_S) -> Look:
    """Ask the server; `besides` runs meanwhile, and its output comes last."""
    ask = ASK.replace(f"timeout={server_state.CONNECT_S}", f"timeout={connect_s}")
    script = f"exec 3< <({besides})\n{ask}\ncat <&3\nexit 0"
    try:
        text = machine.script(script, timeout=30 + connect_s, title="asks the database").stdout
    except LabError:
        return Look()
    answer, runs, record, rest = [*text.split(f"{MARK}\n"), "", "", ""][:4]
    return Look(server_state.read(machine.node.name, answer), "dead" in runs, record, CUT_OFF not in rest)


def _connected(machine: Machine, besides: str) -> Look:
    look = _look(machine, besides, CANDIDATE_S)
    return replace(look, shell=client(machine)) if look.database and not look.database.writable else look


def _reach(node: Node) -> str:
    """Bash that reports a node which accepts no connection: Linux sends SYN at 0, 1 and 3 seconds."""
    return f"timeout 2 bash -c '</dev/tcp/{node.ip}/22' 2>/dev/null || echo {CUT_OFF}"


def _reaches(balancer: Machine, node: Node) -> bool:
    """Whether the balancer reaches a node over the lab's network; True if the balancer can't be asked."""
    try:
        return CUT_OFF not in balancer.script(_reach(node), title=f"checks whether it reaches {node.name}").stdout
    except LabError:
        return True
