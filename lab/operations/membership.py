"""Nodes that left lab.yml: what of them is still there, and out of HAProxy before their machines are removed."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace

from lab import progress
from lab.desired.target import Roles
from lab.errors import CheckFailed, LabError, LabNotUp
from lab.mysql import last_seen
from lab.nodes import haproxy, lifecycle, vm_power
from lab.nodes.haproxy import ServerNow
from lab.nodes.ssh import Machine
from lab.operations import balancing, converge
from lab.state import choices
from lab.state.atomic_file import atomic_write
from lab.topology import ROOT, Lab
from lab.wait import until

DATABASES = ROOT / ".lab" / "databases"  # a name a line, written by lab.up
UP = "invoke lab.up"
ENDS_S = 15.0  # the balancer waits 10 s for a write


def let_go(lab: Lab, roles: Roles) -> None:
    """Take servers that left lab.yml out of HAProxy, and wait until they have answered what they work on.

    Servers that are new in lab.yml do not enter here: they are not ready. Nothing is done where no such machine exists
    or HAProxy does not answer. Raises CheckFailed, before anything is changed, if lab.yml lacks a database that there
    is, or if no server would take requests until the new ones are ready.
    """
    must_keep_the_data(lab)
    left = _left(lab)
    for machine in _balancers(lab) if left else ():
        served = _served(machine)
        names = [it.name for it in served]
        gone = [name for name in names if name in left]
        if gone:
            known = [node for node in lab.nodes if "web" not in node.roles or node.name in names]
            stay = replace(lab, nodes=tuple(known))
            _must_serve(served, gone, stay)
            _take_out(machine, gone, stay, roles)


def _left(lab: Lab) -> list[str]:
    with suppress(LabError):  # no lab, or the hypervisor does not run: no machine serves
        return vm_power.strangers(lab)
    return []


def _balancers(lab: Lab) -> list[Machine]:
    with suppress(LabError):
        return lifecycle.running(lab, "balancer")
    return []


def _served(machine: Machine) -> Sequence[ServerNow]:
    with suppress(LabError):
        return haproxy.ask(machine).servers
    return ()


def _must_serve(served: Sequence[ServerNow], gone: Sequence[str], stay: Lab) -> None:
    """A server that stays must take requests; where those that leave take none either, nothing is lost."""
    chosen, names = choices.load(), [node.name for node in stay.having("web")]
    staying = [it for it in served if it.name in names]
    lost = balancing.serving([it for it in served if it.name in gone], chosen)
    if lost and not balancing.serving(staying, chosen):
        states = balancing.states(staying, chosen)
        what = f"without {', '.join(gone)} no server would take requests: {states}; nothing was changed"
        hint = f"put {', '.join(lost)} back into lab.yml and run {UP}; when a new server is UP, remove them: {UP}"
        raise CheckFailed(what, hint=hint)


def must_keep_the_data(lab: Lab) -> None:
    """Raise CheckFailed if lab.yml gives a machine that is or was a database none: its notes would be lost.

    A replica too: durable writes would wait for it. Where it is not on record what the databases were, a machine that
    left lab.yml may be one. Machines that cannot be asked for count as there.
    """
    databases, there = {node.name for node in lab.having("database")}, _there(lab)
    lost = sorted(name for name in _were_databases(lab) - databases if there is None or name in there)
    if lost:
        what = f"lab.yml has no database on {', '.join(lost)}, which may hold notes; nothing was changed"
        hint = f"put it back into lab.yml, then: {UP}; for other databases make the lab anew, which needs "
        raise CheckFailed(what, hint=f"{hint}invoke db.backup, invoke lab.destroy: docs/topologies.md")


def _were_databases(lab: Lab) -> set[str]:
    """By the record of the last lab.up, and by what is remembered of the primary and of promotions."""
    seen = last_seen.recall()
    primaries = {seen.node, seen.opening} - {"", last_seen.UNKNOWN} if seen else set()
    try:
        return primaries | set(DATABASES.read_text(encoding="utf-8").split())
    except (OSError, ValueError):
        return primaries | set(_left(lab))


def keep(lab: Lab) -> None:
    """Write down which machines are databases, for the time when lab.yml has changed; the check came before."""
    atomic_write(DATABASES, "".join(f"{node.name}\n" for node in lab.having("database")))


def _there(lab: Lab) -> set[str] | None:
    """The machines that exist, also those that left lab.yml; None where the hypervisor cannot be asked."""
    try:
        made = {name for name, state in vm_power.states(lab).items() if state != "absent"}
        return made | set(vm_power.strangers(lab))
    except LabNotUp:  # no lab was made in this checkout
        return set()
    except LabError:
        return None


def _take_out(machine: Machine, names: Sequence[str], stay: Lab, roles: Roles) -> None:
    listed = ", ".join(names)
    progress.say(machine.node.name, f"sends no more requests to {listed}, which left lab.yml")
    what, hint = f"{listed} works on no request", f"see what it does: invoke lb.status; then again: {UP}"
    try:
        haproxy.take_out(machine, names)
        until(what, lambda: haproxy.under_way(machine, names) == 0, ENDS_S, where=machine.node.name, hint=hint)
        converge.everything(stay, roles, only=["balancer"])
    except BaseException:  # an interrupt too: lab.yml may get it back
        with suppress(LabError):  # the first error is the one to report; status names a server that stays in MAINT
            haproxy.put_back(machine, names)
        raise


def left_over(lab: Lab) -> list[str]:
    """The machines that lab.yml does not have, in words, each with the next command."""
    removes = f"next: {UP} (takes it out of HAProxy, then removes it)"
    return [f"lab.yml: {name} is still there, but left lab.yml; {removes}" for name in _left(lab)]


def unlike(lab: Lab, served: Collection[str]) -> list[str]:
    """How HAProxy's servers differ from the web servers of lab.yml, in words."""
    wanted = [node.name for node in lab.having("web")]
    lines = [f"HAProxy does not have {name}" for name in wanted if name not in served]
    return lines + [f"HAProxy has {name}, which lab.yml does not have" for name in served if name not in wanted]
