"""Create and boot machines until they answer on ssh; shut them down and remove them."""

import time
from collections.abc import Mapping, Sequence

from lab import progress
from lab.errors import CommandFailed, InfrastructureBroken, LabError, TimedOut
from lab.nodes import console, facts, vm_power
from lab.nodes.ssh import SSH_CONFIG, Machine, together
from lab.nodes.vm_power import vagrant_here
from lab.state.atomic_file import atomic_write
from lab.topology import Lab, Node
from lab.wait import until

SSH_TIMEOUT_S = 90.0
BOOT_TIMEOUT_S = 240.0


def boot(lab: Lab, only: Node | None = None) -> None:
    """Bring every machine of lab.yml up, or only one; machines that run already cost one query.

    Raises InfrastructureBroken, with the consoles and the lease table as evidence, if a machine does not come up.
    """
    states = vm_power.states(lab)
    wanted = [only] if only else lab.nodes
    for node in wanted:
        if states[node.name] in vm_power.STUCK:
            progress.say(node.name, f"is {states[node.name]}: it is powered off first")
            vm_power.make_off(lab, node)
    missing = {node.name: states[node.name] for node in wanted if states[node.name] != "running"}
    if missing:
        progress.say("host", f"boots {', '.join(f'{name} ({state})' for name, state in missing.items())}")
        _keep({name: it for name, it in _known().items() if states.get(name) == "running"})
        try:
            _vagrant_up(only, list(missing))
        except (CommandFailed, TimedOut) as error:
            raise _not_up(lab, error) from error
    if {node.name for node in wanted} - _known().keys():
        write_ssh_config(lab)


def _vagrant_up(only: Node | None, missing: Sequence[str]) -> None:
    began = time.monotonic()
    with progress.display(["host", *missing], "waits for Vagrant"):
        vagrant_here().up(vm_name=only.name if only else None, provider=vm_power.provider())
        for name in missing:
            progress.done(name, f"booted, {time.monotonic() - began:.0f} s")


def write_ssh_config(lab: Lab) -> None:
    """Store the output of `vagrant ssh-config`, so that no later command has to start Vagrant.

    It covers running machines only: the stored settings of the others stay.
    """
    running = [name for name, state in vm_power.states(lab).items() if state == "running"]
    _keep(_known() | _blocks(vagrant_here().say(["ssh-config", *running])))


def _known() -> dict[str, str]:
    """The stored settings of each node; those of a node are removed while it boots, for its address may change."""
    return _blocks(SSH_CONFIG.read_text(encoding="utf-8")) if SSH_CONFIG.exists() else {}


def _keep(blocks: Mapping[str, str]) -> None:
    atomic_write(SSH_CONFIG, "\n".join(blocks.values()))


def _blocks(text: str) -> dict[str, str]:
    blocks = [f"Host {block.rstrip()}\n" for block in text.split("Host ")[1:]] if "Host " in text else []
    return {block.split()[1]: block for block in blocks}


def machines(lab: Lab) -> list[Machine]:
    """A connection to each node; raise LabNotUp if no lab was started."""
    return [Machine(node) for node in lab.nodes]


def running(lab: Lab, role: str = "") -> list[Machine]:
    """A connection to each node that runs, or only to those with a role."""
    states = vm_power.states(lab)
    return [it for it in machines(lab) if states[it.node.name] == "running" and role in ("", *it.node.roles)]


def systems(machines: list[Machine], timeout: float = SSH_TIMEOUT_S) -> dict[str, str]:
    """Wait until every node answers on ssh; return each node's /etc/os-release."""
    texts = together(lambda machine: answering(machine, timeout), machines)
    return {machine.node.name: text for machine, text in zip(machines, texts, strict=True)}


def answering(machine: Machine, timeout: float = BOOT_TIMEOUT_S) -> str:
    """Wait until a node answers on ssh, with its console as evidence if it does not."""
    return until(
        "answers on ssh",
        lambda: facts.ready(machine),
        timeout,
        where=machine.node.name,
        evidence=lambda: f"console:\n{console.last_lines(machine.node)}",
        hint=f"vagrant ssh {machine.node.name}; or create it again: invoke lab.destroy lab.up",
    )


def halt(node: Node | None) -> None:
    """Shut one machine or all of them down, gracefully."""
    vagrant_here().halt(vm_name=node.name if node else None)


def destroy() -> None:
    """Remove the machines and their disks."""
    vagrant_here().destroy()
    SSH_CONFIG.unlink(missing_ok=True)


def _not_up(lab: Lab, error: LabError) -> InfrastructureBroken:
    evidence = [error.what, error.evidence]
    for node in lab.nodes:
        evidence.append(f"console of {node.name}:\n{console.last_lines(node)}")
    evidence.append(f"DHCP leases:\n{vm_power.leases()}")
    return InfrastructureBroken(
        "the machines did not come up",
        evidence="\n".join(evidence),
        hint="run it again: invoke lab.up; if it fails the same way: invoke lab.doctor, or invoke lab.destroy lab.up",
    )
