"""Faults injected and healed: written down first, seen to be real, seen to be gone."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from lab import guest_faults, hypervisor, ledger, lifecycle, progress
from lab.catalogue import Fault
from lab.conflicts import conflicts
from lab.errors import CheckFailed, CommandFailed, LabError, explained
from lab.facts import ask
from lab.machine import Machine, Shell
from lab.restore import step_clock_soon
from lab.topology import Lab
from lab.wait import until

Tell = Callable[[str, Fault], None]
TIMER_S = 1200  # longer than any experiment measures: a fault must not end by itself in the middle of one
SEEN_S, BACK_S = 30.0, 240.0
NOT_SEEN = 9
STARTS_AGAIN = ("power-off", "crash")  # healed by a boot


@dataclass(frozen=True)
class Pair:
    """A fault's two ways: each returns when its effect was seen, or raises TimedOut or CommandFailed.

    `prepare` breaks nothing yet, takes the time that injecting must not take, and returns what injects.
    """

    prepare: Callable[[], Callable[[], object]]
    heal: Callable[[], object]


def quietly(word: str, fault: Fault) -> None:
    """Tell nobody: what a fault does, the progress lines say."""


def inject(lab: Lab, fault: Fault, door: Machine, *, tell: Tell = quietly, timer_s: int = TIMER_S) -> None:
    """Inject a fault and see that it is real; `timer_s` is when a network fault ends by itself.

    `tell` hears 'inject' when it begins and 'injected' when it was seen. Raises CheckFailed where it can't be
    injected now, with the reason; where it was not seen it is healed again before the error is raised.
    """
    _refuse(lab, fault)
    ledger.add(fault, time.time())
    progress.say(fault.node, f"injects {fault.id}")
    pair = _pair(lab, fault, door, timer_s)
    try:
        make = pair.prepare()
        tell("inject", fault)
        make()
    except Exception:
        with suppress(Exception):  # what failed first is to be told; the ledger still has it
            heal(lab, fault, door)
        raise
    tell("injected", fault)
    progress.say(fault.node, f"{fault.id} is real")


def heal(lab: Lab, fault: Fault, door: Machine, *, tell: Tell = quietly) -> None:
    """Heal a fault, see that it is gone, and strike it out of the ledger; healing twice is no mistake."""
    progress.say(fault.node, f"heals {fault.id}")
    tell("heal", fault)
    if fault.kind not in STARTS_AGAIN:
        _started(lab, door)
    _pair(lab, fault, door, TIMER_S).heal()
    ledger.remove(fault)
    tell("healed", fault)
    progress.say(fault.node, f"{fault.id} is gone")


def heal_all(lab: Lab, *, tell: Tell = quietly) -> list[Fault]:
    """Heal every fault of the ledger, machines first: what is inside one can only be reached when it runs.

    All are tried, whatever goes wrong with one; raises the first error after that.
    """
    errors: list[Exception] = []
    healed = []
    for fault in sorted(ledger.active(lab), key=lambda it: it.kind not in _MACHINE):
        try:
            heal(lab, fault, door_to(lab, fault), tell=tell)
            healed.append(fault)
        except Exception as error:
            progress.say(fault.node, f"{fault.id} is still in the ledger: {explained(error).what}")
            errors.append(error)
    if errors:
        raise errors[0]
    return healed


def _started(lab: Lab, door: Machine) -> None:
    """A promotion switches a machine off that does not answer: what is broken inside can be healed when it runs."""
    if hypervisor.states(lab)[door.node.name] == "off":
        _power_on(door)
        lifecycle.answering(door)


def door_to(lab: Lab, fault: Fault) -> Machine:
    """The way to the node of a fault."""
    return Machine(lab.node(fault.node))


def _refuse(lab: Lab, fault: Fault) -> None:
    reason = conflicts(ledger.active(lab), fault)
    if reason:
        raise CheckFailed(f"{fault.id} can't be injected: {reason}", hint="heal what is there: invoke fault.heal")
    state = hypervisor.states(lab)[fault.node]
    if state != "running":
        raise CheckFailed(f"{fault.id} can't be injected: {fault.node} is {state}", hint="invoke lab.up")


def _pair(lab: Lab, fault: Fault, door: Machine, timer_s: int) -> Pair:
    maker = _MACHINE.get(fault.kind)
    return maker(lab, door) if maker else _guest(lab, fault, door, timer_s)


def _guest(lab: Lab, fault: Fault, door: Machine, timer_s: int) -> Pair:
    made = guest_faults.scripts(fault, lab)
    before = guest_faults.with_timer(fault, made, timer_s)
    end = guest_faults.without_timer(fault, made)

    def prepare() -> Callable[[], object]:
        shell = door.ready(before, timeout=BACK_S, title=f"{fault.id} is prepared")
        return lambda: _make(door, fault, made.inject, made.seen, "is injected and seen", shell)

    return Pair(prepare, lambda: _make(door, fault, end, made.gone, "is healed and gone"))


def _make(door: Machine, fault: Fault, change: str, seen: str, what: str, shell: Shell | None = None) -> None:
    """One round trip: change, then ask until it shows."""
    late = f"[ $SECONDS -lt {SEEN_S:.0f} ] || exit {NOT_SEEN}"
    script = f"( {change}\n) </dev/null || exit 8\nSECONDS=0\n"
    script += f"until ( {seen}\n) </dev/null >/dev/null 2>&1; do {late}; sleep 0.1; done"
    try:
        door.script(script, timeout=BACK_S, title=f"{fault.id} {what}", shell=shell)
    except CommandFailed as error:
        error.hint = f"look at it: vagrant ssh {fault.node}; undo what is left: invoke fault.heal"
        raise


def _power_off(_: Lab, door: Machine) -> Pair:
    def off() -> None:
        hypervisor.power_off(door.node)
        door.close()

    return Pair(lambda: off, lambda: _boots(door))


def _crash(_: Lab, door: Machine) -> Pair:
    """The kernel panics and stays so; sysrq works for root whatever is allowed at the keyboard."""

    def restart() -> None:
        with suppress(CommandFailed):  # it is off already
            hypervisor.power_off(door.node)
        _boots(door)

    return Pair(_falls_silent(door, "(sleep 0.2; echo c > /proc/sysrq-trigger) >/dev/null 2>&1 &", "panics"), restart)


def _freeze(lab: Lab, door: Machine) -> Pair:
    """A promotion may switch it off as soon as it goes on: then it is started, as by any other heal."""

    def off() -> bool:
        return hypervisor.states(lab)[door.node.name] == "off"

    def go_on() -> None:
        with suppress(CommandFailed):  # it goes on already
            hypervisor.resume(door.node)
        step_clock_soon(door, unless=off)
        _started(lab, door)

    return Pair(lambda: lambda: hypervisor.pause(door.node), go_on)


def _reboot(_: Lab, door: Machine) -> Pair:
    return Pair(_falls_silent(door, "systemctl --no-block reboot", "reboots"), lambda: _whole(door))


def _falls_silent(door: Machine, text: str, title: str) -> Callable[[], Callable[[], object]]:
    """A shell waits to run that script; the fault is there when nobody answers any more."""

    def prepare() -> Callable[[], object]:
        shell = door.ready("", title=f"waits until it {title}")

        def fall() -> None:
            door.script(text, title=title, shell=shell)
            _silent(door)

        return fall

    return prepare


def _silent(door: Machine) -> None:
    """Until ssh finds nobody: a connection that is open already would hang."""

    def nobody() -> bool:
        door.close()
        try:
            door.run("true", timeout=3, title="is still there")
        except LabError:
            return True
        return False

    until("answers no more", nobody, SEEN_S, every=0.2, where=door.node.name)


def _boots(door: Machine) -> None:
    _power_on(door)
    _whole(door)


def _power_on(door: Machine) -> None:
    with suppress(CommandFailed):  # it runs already, or was never off
        hypervisor.power_on(door.node)


def _whole(door: Machine) -> None:
    """Until the machine answers and all its services run."""
    lifecycle.answering(door)

    def right() -> bool:
        facts = ask(door)
        return not facts.error and all(state == "active" for state in facts.services.values())

    until("all services run", right, BACK_S, every=3, where=door.node.name, hint="invoke lab.logs")


_MACHINE: Mapping[str, Callable[[Lab, Machine], Pair]] = {
    "power-off": _power_off,
    "crash": _crash,
    "freeze": _freeze,
    "reboot": _reboot,
}
