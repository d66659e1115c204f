"""Nodes that left lab.yml: what of them is still there, and out of HAProxy before their machines are removed."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace

from lab import progress
from lab.desired.target import Roles
from lab.errors import CheckFailed, LabError
from lab.mysql import last_seen
from lab.nodes import haproxy, lifecycle, vm_power
from lab.nodes.ssh import Machine
from lab.operations import converge
from lab.topology import Lab
from lab.wait import until

UP = "invoke lab.up"
ENDS_S = 15.0  # the balancer waits 10 s for a write


def let_go(lab: Lab, roles: Roles) -> None:
    """Take servers that left lab.yml out of HAProxy, and wait until they have answered what they work on.

    Servers that are new in lab.yml do not enter here: they are not ready. Nothing is done where no such machine exists
    or HAProxy does not answer. Raises CheckFailed if lab.yml gives the machine with the newest data no database.
    """
    left = _left(lab)
    _must_keep_the_data(lab, left)
    for machine in _balancers(lab) if left else ():
        served = _served(machine)
        gone = [name for name in served if name in left]
        if gone:
            _take_out(machine, gone)
            known = [node for node in lab.nodes if "web" not in node.roles or node.name in served]
            converge.everything(replace(lab, nodes=tuple(known)), roles, only=["balancer"])


def _left(lab: Lab) -> list[str]:
    with suppress(LabError):  # no lab, or the hypervisor does not run: no machine serves
        return vm_power.strangers(lab)
    return []


def _balancers(lab: Lab) -> list[Machine]:
    with suppress(LabError):
        return lifecycle.running(lab, "balancer")
    return []


def _served(machine: Machine) -> list[str]:
    with suppress(LabError):
        return [it.name for it in haproxy.ask(machine).servers]
    return []


def _must_keep_the_data(lab: Lab, left: Sequence[str]) -> None:
    """The primary must stay a database: the notes of a new one would begin with none."""
    seen, databases = last_seen.recall(), [node.name for node in lab.having("database")]
    if seen is None or seen.node in databases or seen.node not in [*left, *_made(lab)]:
        return
    what = f"{seen.node} was the primary when it was last asked, and lab.yml gives it no database; nothing was changed"
    hint = f"put it back into lab.yml, then: invoke db.promote {databases[0]}; or make the lab anew: docs/topologies.md"
    raise CheckFailed(what, hint=hint)


def _made(lab: Lab) -> list[str]:
    with suppress(LabError):
        return [name for name, state in vm_power.states(lab).items() if state != "absent"]
    return []


def _take_out(machine: Machine, names: Sequence[str]) -> None:
    listed = ", ".join(names)
    progress.say(machine.node.name, f"sends no more requests to {listed}, which left lab.yml")
    haproxy.take_out(machine, names)
    what, hint = f"{listed} works on no request", f"see what it does: invoke lb.status; then again: {UP}"
    try:
        until(what, lambda: haproxy.under_way(machine, names) == 0, ENDS_S, where=machine.node.name, hint=hint)
    except BaseException:  # an interrupt too: lab.yml may get it back
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
