"""Back to a snapshot, and not ready before everything is: clocks, services, replication, the page."""

import time
from collections.abc import Callable, Mapping, Sequence

from lab import progress
from lab.errors import CheckFailed, LabNotUp, TimedOut
from lab.faults import ledger
from lab.mysql import advice, last_seen
from lab.nodes import lifecycle
from lab.nodes.clock_sync import shell_in_time
from lab.nodes.facts import ask, databases_of
from lab.nodes.site import healthy
from lab.nodes.ssh import Machine, Shell, together
from lab.operations import snapshots
from lab.operations.health import DatabaseState, health
from lab.state import choices
from lab.topology import Lab
from lab.wait import until

READY_S = 60.0
HEALTHY_S = 30.0
DRAINED = " is DRAIN"


def restore(lab: Lab, name: str, repair: Callable[[], object] = lambda: None) -> None:
    """Put all machines back to a snapshot, step their clocks, and wait until the lab answers as it should.

    Faults and what is remembered of the databases are forgotten. `repair` runs before the wait: with what a snapshot
    of another configuration lacks, the lab may never answer as it should. Raises TimedOut naming what is not right.
    """
    progress.say("host", f"puts all machines back to snapshot {name}")
    with progress.stage("put back"), progress.display(["host"], f"puts all machines back to snapshot {name}"):
        snapshots.put_back(lab, name)
        ledger.clear()  # a snapshot is of a lab without faults
    machines = lifecycle.machines(lab)
    names = [machine.node.name for machine in machines]
    with progress.stage("clocks"), progress.display(names, "sets its clock"):
        shells = together(shell_in_time, machines)
    snapshots.is_back()  # from here on lab.provision completes it
    repair()
    with progress.stage("settle"):
        settle(lab, machines, shells)
    progress.say("host", f"snapshot {name} is back")


def settle(lab: Lab, machines: Sequence[Machine], shells: Sequence[Shell]) -> None:
    """Wait for services, equal databases and the page; the first look is over `shells`, one of each machine."""
    trouble: list[str] = []
    ready = dict(zip((machine.node.name for machine in machines), shells, strict=True))

    def right() -> bool:
        trouble[:] = _without_drained(wrong(lab, machines, ready))
        ready.clear()
        return not trouble

    what = "services, databases and the page are right"
    hint = "see more: invoke lab.status; or repair: invoke lab.provision"
    with progress.display(["lab"], f"waits until {what}"):
        until(what, right, READY_S, where="lab", evidence=lambda: "\n".join(trouble), hint=hint)


def must_be_healthy(lab: Lab) -> None:
    """Wait a moment until nothing is wrong; raises CheckFailed where faults are active or a server is drained.

    Raises LabNotUp if anything else stays wrong.
    """
    if ledger.entries():
        active = ", ".join(it["id"] for it in ledger.entries())
        raise CheckFailed(f"faults are active: {active}", hint="undo them: invoke fault.heal")
    drained = [node.name for node in lab.having("web") if node.name in choices.load().drained]
    if drained:
        raise CheckFailed(f"{drained[0]} is drained: a run needs all servers", hint=f"invoke lb.ready {drained[0]}")
    machines = lifecycle.machines(lab)
    trouble = _after_a_moment("the lab is healthy", HEALTHY_S, lambda: wrong(lab, machines))
    if trouble:
        what = "the lab is not healthy, so a run would prove nothing"
        raise LabNotUp(what, evidence="\n".join(trouble), hint=_next(machines))


def must_be_up(lab: Lab, node: str = "", machines: Sequence[Machine] = ()) -> None:
    """Wait a moment until the lab, or one node of it, is as it should be; raises CheckFailed naming what is not.

    `machines`: connections to all of them, where there are some already.
    """
    machines = machines or (lifecycle.running(lab) if node else lifecycle.machines(lab))

    def missing() -> list[str]:
        found = _without_drained(wrong(lab, machines))
        return [line for line in found if not node or line.startswith((f"{node}: ", f"{node} ", f"HAProxy: {node} "))]

    trouble = _after_a_moment(f"{node or 'the lab'} is up", READY_S, missing)
    if trouble:
        what = f"{node or 'the lab'} is not up: not everything is as it should be"
        raise CheckFailed(what, evidence="\n".join(trouble), hint="see what to do: invoke lab.status")


def _without_drained(trouble: Sequence[str]) -> list[str]:
    """All but the servers that somebody drained: they are as they should be. Nothing else shows one in maintenance."""
    return [line for line in trouble if not line.endswith(DRAINED)]


def _after_a_moment(what: str, within_s: float, trouble: Callable[[], list[str]]) -> list[str]:
    """What is still wrong when it was given time to become right."""
    last: list[str] = []

    def right() -> bool:
        last[:] = trouble()
        return not last

    try:
        with progress.display(["lab"], f"waits until {what}"):
            until(what, right, within_s, every=1, where="lab")
    except TimedOut as error:
        return last or [error.evidence]
    return []


def _next(machines: list[Machine]) -> str:
    """lab.up, but where every database answers and their roles are not right: it never turns roles back."""
    servers = [machine for machine in machines if "database" in machine.node.roles]
    asked, nodes = databases_of(servers), [machine.node for machine in servers]
    only_roles = None not in asked.values() and advice.advise(nodes, asked, last_seen.degraded(), {})
    return "invoke db.status" if only_roles else "invoke lab.up"


def wrong(lab: Lab, machines: Sequence[Machine], shells: Mapping[str, Shell] | None = None) -> list[str]:
    """What is not right yet, in words; one round trip a node, and the site where nothing else is wrong.

    `shells`: shells that are ready, by node; a node that has none gets one.
    """
    asked_at = time.time()
    answers = together(lambda machine: ask(machine, (shells or {}).get(machine.node.name)), machines)
    facts = dict(zip((machine.node.name for machine in machines), answers, strict=True))
    last_seen.remember(asked_at, [it.database for it in facts.values()])
    asked = [it.database for it in facts.values() if it.database]
    databases = [DatabaseState(it.node, it.role, it.replicating, it.gtid_executed) for it in asked]
    trouble = health(lab, facts, databases)
    return trouble if _without_drained(trouble) else health(lab, facts, databases, site_ok=healthy(lab))
