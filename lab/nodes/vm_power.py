"""The power of the machines: states, power off and on, pause and resume; and Vagrant with deadlines.

A state is running, paused, off, absent or, if it is certainly none of these, the hypervisor's own term. Only in the
states of `OFF` nothing runs and a start is a boot: a saved machine resumes where it was, perhaps as a writable primary.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import vagrant
import yaml

from lab import process, topology
from lab.errors import CommandFailed, LabError, LabNotUp
from lab.state.atomic_file import atomic_write
from lab.topology import ROOT, Lab, Node
from lab.wait import until

FOUND = ROOT / ".lab" / "vagrant.yml"
VAGRANT_ENV = {"VAGRANT_CHECKPOINT_DISABLE": "1", "VAGRANT_NO_COLOR": "1"}
LIBVIRT = ("virsh", "-c", "qemu:///system")
LIBVIRT_STATES = {"idle": "running", "in shutdown": "running", "shut off": "off"}
VIRTUALBOX_STATES = {"poweroff": "off", "aborted": "off"}  # aborted: its process died
OFF = ("off", "absent")
SAVED = ("saved", "aborted-saved")  # its memory is on a disk, and it does not run
STUCK = ("crashed", "pmsuspended", "gurumeditation")  # a machine does not leave these by itself and can't be started
VIRTUALBOX_UNKNOWN = "VBOX_E_OBJECT_NOT_FOUND"
PREFIX = "weblab_"
ADVICE = ("-- ", "Progress", "See http", "No version detected", "generating a local", "Serial console", "Updating")
NO_PROVISIONERS = ("Machine not provisioned", "Machine already provisioned", "flag to force")  # the lab has none
BOOT_S, HALT_S, DESTROY_S, QUICK_S, OFF_S = 420.0, 180.0, 180.0, 60.0, 30.0


class Vagrant(vagrant.Vagrant):
    """python-vagrant's commands, run with a deadline, progress, and the last lines of output in every error."""

    def _call_vagrant_command(self, args: list[str | None]) -> None:
        self.say(args, show=_worth_showing)

    def _run_vagrant_command(self, args: list[str | None]) -> str:
        return self.say(args)

    def say(self, args: list[str | None], *, show: process.Show | None = None) -> str:
        """Run a Vagrant command to its end; `show` as in lab.process."""
        words = [word for word in args if word is not None]
        argv = ["vagrant", *words]
        return process.run(argv, timeout=_deadline(words), env=VAGRANT_ENV, cwd=str(ROOT), show=show).output


def _deadline(words: Sequence[str]) -> float:
    """Seconds for a Vagrant command; VirtualBox boots one machine after the other, libvirt all at once."""
    if words[0] == "up" and provider() == "virtualbox":
        named = [word for word in words[1:] if not word.startswith("-")]
        return BOOT_S * (len(named) or len(topology.load().nodes))
    return {"up": BOOT_S, "halt": HALT_S, "destroy": DESTROY_S}.get(words[0], QUICK_S)


def _worth_showing(line: str) -> tuple[str, str] | None:
    """A line of Vagrant's output as progress of its machine; None for settings, percentages, advice, provisioners."""
    machine, colon, text = line.removeprefix("==> ").partition(": ")
    if not line.startswith("==> ") or not colon or text.strip().startswith((*ADVICE, *NO_PROVISIONERS)):
        return None
    return machine, text.strip()


def vagrant_here() -> Vagrant:
    """Vagrant for this checkout."""
    return Vagrant(str(ROOT))


def save_found(found: Mapping[str, Any], path: Path = FOUND) -> None:
    """Store the facts about this host that lab.up found, for the Vagrantfile and later commands."""
    atomic_write(path, yaml.safe_dump(dict(found)))


def found() -> dict[str, Any]:
    """The facts about this host that lab.up found; raise LabNotUp if it never ran."""
    if not FOUND.exists():
        raise LabNotUp("no lab exists in this checkout", hint="create one: invoke lab.up")
    return dict(yaml.safe_load(FOUND.read_text(encoding="utf-8")))


def provider() -> str:
    """The Vagrant provider of this lab."""
    return str(found()["provider"])


def states(lab: Lab) -> dict[str, str]:
    """Each node's power state: running, paused, off, absent, or the hypervisor's own term for another state."""
    if provider() == "virtualbox":
        return {node.name: _virtualbox_state(node) for node in lab.nodes}
    known = _libvirt_states()
    return {node.name: known.get(node.name, "absent") for node in lab.nodes}


def strangers(lab: Lab) -> list[str]:
    """The machines that lab.yml has no more; none with VirtualBox, where Vagrant knows only those of lab.yml."""
    if provider() == "virtualbox":
        return []
    return sorted(_libvirt_states().keys() - {node.name for node in lab.nodes})


def _libvirt_states() -> dict[str, str]:
    argv = [*LIBVIRT, "list", "--all", "--managed-save"]
    return parse_virsh_list(process.run(argv, timeout=QUICK_S, env=process.IN_ENGLISH).output)


def power_off(node: Node) -> None:
    """Cut the power: the guest gets no chance to shut down."""
    if provider() == "virtualbox":
        process.run(["VBoxManage", "controlvm", _id(node), "poweroff"], timeout=QUICK_S)
    else:
        process.run([*LIBVIRT, "destroy", PREFIX + node.name], timeout=QUICK_S)


def press_power_button(node: Node) -> None:
    """Ask the system of a machine to shut down, as its power button does; does not wait for it."""
    if provider() == "virtualbox":
        process.run(["VBoxManage", "controlvm", _id(node), "acpipowerbutton"], timeout=QUICK_S)
    else:
        process.run([*LIBVIRT, "shutdown", PREFIX + node.name, "--mode", "acpi"], timeout=QUICK_S)


def make_off(lab: Lab, node: Node) -> None:
    """Power a machine off from any state and verify it; a saved machine loses its saved memory.

    Raises TimedOut if it is not off within half a minute.
    """

    def off() -> bool:
        state = states(lab)[node.name]
        if state not in OFF:
            (_discard if state in SAVED else power_off)(node)
        return states(lab)[node.name] in OFF

    hint = "see its state: invoke lab.status; once the machine is off, run the same command again"
    until("is off", off, OFF_S, where=node.name, hint=hint)


def _discard(node: Node) -> None:
    if provider() == "virtualbox":
        process.run(["VBoxManage", "discardstate", _id(node)], timeout=QUICK_S)
    else:
        process.run([*LIBVIRT, "managedsave-remove", PREFIX + node.name], timeout=QUICK_S)


def power_on(node: Node) -> None:
    """Start a machine that is off; does not wait for it."""
    if provider() == "virtualbox":
        process.run(["VBoxManage", "startvm", _id(node), "--type", "headless"], timeout=QUICK_S)
    else:
        process.run([*LIBVIRT, "start", PREFIX + node.name], timeout=QUICK_S)


def pause(node: Node) -> None:
    """Pause a machine: it keeps its memory and connections, and does not answer."""
    if provider() == "virtualbox":
        process.run(["VBoxManage", "controlvm", _id(node), "pause"], timeout=QUICK_S)
    else:
        process.run([*LIBVIRT, "suspend", PREFIX + node.name], timeout=QUICK_S)


def resume(node: Node) -> None:
    """Resume a paused machine; its clock stood still meanwhile."""
    if provider() == "virtualbox":
        process.run(["VBoxManage", "controlvm", _id(node), "resume"], timeout=QUICK_S)
    else:
        process.run([*LIBVIRT, "resume", PREFIX + node.name], timeout=QUICK_S)


def off_because(node: Node) -> str:
    """Why a machine is off, in libvirt's term ('destroyed': its power was cut); '' if it is not off.

    VirtualBox does not tell a power cut from a shutdown. https://libvirt.org/manpages/virsh.html#domstate
    """
    if provider() == "virtualbox":
        return "VirtualBox does not say why" if _virtualbox_state(node) == "off" else ""
    argv = [*LIBVIRT, "domstate", PREFIX + node.name, "--reason"]
    state = process.run(argv, timeout=QUICK_S, ok=(0, 1), env={"LC_ALL": "C"}).output.strip()
    return state.removeprefix("shut off").strip(" ()") or "unknown" if state.startswith("shut off") else ""


def leases() -> str:
    """The management network's lease table, as evidence of which machine got an address."""
    if provider() != "libvirt":
        return ""
    try:
        return process.run([*LIBVIRT, "net-dhcp-leases", "weblab-management"], timeout=QUICK_S).output.strip()
    except LabError as error:
        return str(error)


def parse_virsh_list(output: str) -> dict[str, str]:
    """Parse `virsh list --all --managed-save` into node name -> power state, for the lab's machines only."""
    states = {}
    for line in output.splitlines()[2:]:
        words = line.split(None, 2)
        if len(words) == 3 and words[1].startswith(PREFIX):
            word = words[2].strip()
            states[words[1].removeprefix(PREFIX)] = LIBVIRT_STATES.get(word, word)
    return states


def _virtualbox_state(node: Node) -> str:
    """The state by the ID that Vagrant keeps: another checkout's machine may have the same name."""
    if not _id_file(node).exists():
        return "absent"
    try:
        argv = ["VBoxManage", "showvminfo", _id(node), "--machinereadable"]
        shown = process.run(argv, timeout=QUICK_S, env=process.IN_ENGLISH).output
    except CommandFailed as error:
        if VIRTUALBOX_UNKNOWN in error.evidence:
            return "absent"
        raise
    return parse_vm_state(shown)


def parse_vm_state(shown: str) -> str:
    """Parse the power state from the output of `VBoxManage showvminfo --machinereadable`."""
    lines = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    word = lines.get("VMState", "").strip('"') or "unknown"
    return VIRTUALBOX_STATES.get(word, word)


def _id(node: Node) -> str:
    path = _id_file(node)
    if not path.exists():
        raise LabNotUp(f"{node.name}: its machine does not exist yet", hint="create it: invoke lab.up")
    return path.read_text(encoding="utf-8").strip()


def _id_file(node: Node) -> Path:
    return ROOT / ".vagrant" / "machines" / node.name / "virtualbox" / "id"
