"""Faults of a whole machine: how each is injected, verified, healed, and verified to be gone."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from lab.errors import CommandFailed, LabError, TimedOut
from lab.nodes import lifecycle, vm_power
from lab.nodes.clock_sync import step_clock_soon
from lab.nodes.facts import ask
from lab.nodes.ssh import Machine
from lab.topology import Lab
from lab.wait import until

SEEN_S, BACK_S, OFF_S = 60.0, 240.0, 90.0


@dataclass(frozen=True)
class Pair:
    """The two actions of a fault: each returns once its effect is verified, or raises TimedOut or CommandFailed.

    `prepare` breaks nothing, does all that takes time, and returns the function that injects.
    """

    prepare: Callable[[], Callable[[], object]]
    heal: Callable[[], object]


def started(lab: Lab, machine: Machine) -> None:
    """Start a machine that a promotion powered off: a fault inside it can be healed only if it runs."""
    if vm_power.states(lab)[machine.node.name] == "off":
        _power_on(machine)
        lifecycle.answering(machine)


def _power_off(_: Lab, machine: Machine) -> Pair:
    def off() -> None:
        vm_power.power_off(machine.node)
        machine.close()

    return Pair(lambda: off, lambda: _boots(machine))


def _crash(_: Lab, machine: Machine) -> Pair:
    """The kernel panics and does not reboot; for root sysrq works whatever is allowed at the keyboard."""

    def restart() -> None:
        with suppress(CommandFailed):  # it is off already
            vm_power.power_off(machine.node)
        _boots(machine)

    return Pair(
        _falls_silent(machine, "(sleep 0.2; echo c > /proc/sysrq-trigger) >/dev/null 2>&1 &", "panics"), restart
    )


def _freeze(lab: Lab, machine: Machine) -> Pair:
    """A promotion may power it off as soon as it resumes: then it is started, as by any other heal."""

    def off() -> bool:
        return vm_power.states(lab)[machine.node.name] == "off"

    def go_on() -> None:
        with suppress(CommandFailed):  # it goes on already
            vm_power.resume(machine.node)
        step_clock_soon(machine, unless=off)
        started(lab, machine)

    return Pair(lambda: lambda: vm_power.pause(machine.node), go_on)


def _reboot(_: Lab, machine: Machine) -> Pair:
    return Pair(_falls_silent(machine, "systemctl --no-block reboot", "reboots"), lambda: _wait_until_healthy(machine))


def _shutdown(lab: Lab, machine: Machine) -> Pair:
    return Pair(
        _falls_silent(machine, "systemctl --no-block poweroff", "shuts down"), lambda: _off_then_boots(lab, machine)
    )


def _power_button(lab: Lab, machine: Machine) -> Pair:
    """No shell is needed: the hypervisor presses the button."""

    def press() -> None:
        vm_power.press_power_button(machine.node)
        _silent(machine)

    return Pair(lambda: press, lambda: _off_then_boots(lab, machine))


def _off_then_boots(lab: Lab, machine: Machine) -> None:
    """Wait until the machine is off, for a start fails while it shuts down; cut its power if it hangs."""

    def off() -> bool:
        return vm_power.states(lab)[machine.node.name] == "off" or _answers(machine)

    try:
        until("is off", off, OFF_S, every=0.5, where=machine.node.name)
    except TimedOut:
        vm_power.power_off(machine.node)
    _boots(machine)


def _answers(machine: Machine) -> bool:
    try:
        return machine.run("systemctl is-system-running", ok=range(256), timeout=5).stdout.strip() != "stopping"
    except LabError:
        return False


def _falls_silent(machine: Machine, text: str, title: str) -> Callable[[], Callable[[], object]]:
    """Prepare a shell that will run the script; the fault is there once the machine no longer answers."""

    def prepare() -> Callable[[], object]:
        shell = machine.ready("", title=f"waits until it {title}")

        def fall() -> None:
            machine.script(text, title=title, shell=shell)
            _silent(machine)

        return fall

    return prepare


def _silent(machine: Machine) -> None:
    """Wait until the node accepts no ssh connection; an open one would hang, and a handshake too."""
    machine.close()
    until("no longer answers", lambda: not machine.listens(), SEEN_S, every=0.2, where=machine.node.name)


def _boots(machine: Machine) -> None:
    _power_on(machine)
    _wait_until_healthy(machine)


def _power_on(machine: Machine) -> None:
    with suppress(CommandFailed):  # it runs already, or was never off
        vm_power.power_on(machine.node)


def _wait_until_healthy(machine: Machine) -> None:
    """Wait until the machine answers and all its services run."""
    lifecycle.answering(machine)

    def right() -> bool:
        facts = ask(machine)
        return not facts.error and all(state == "active" for state in facts.services.values())

    until("all services run", right, BACK_S, every=3, where=machine.node.name, hint="invoke lab.logs")


MACHINE: Mapping[str, Callable[[Lab, Machine], Pair]] = {
    "power-off": _power_off,
    "crash": _crash,
    "freeze": _freeze,
    "reboot": _reboot,
    "shutdown": _shutdown,
    "power-button": _power_button,
}
