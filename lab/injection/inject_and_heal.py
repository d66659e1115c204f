"""Inject and heal faults: each is recorded in the ledger first, verified when injected, and verified to be gone."""

import time
from collections.abc import Callable
from contextlib import suppress

from lab import progress
from lab.errors import CheckFailed, CommandFailed, explained
from lab.faults import ledger
from lab.faults.conflicts import conflicts
from lab.faults.kinds import Fault
from lab.injection import guest
from lab.injection.machine import BACK_S, MACHINE, SEEN_S, Pair, started
from lab.nodes import vm_power
from lab.nodes.ssh import Machine, Shell
from lab.topology import Lab

Report = Callable[[str, Fault], None]
TIMER_S = 1200  # longer than any experiment measures: a fault must not end by itself in the middle of one
NOT_SEEN = 9
STARTS_AGAIN = ("power-off", "crash", "shutdown", "power-button")  # healed by a boot


def quietly(word: str, fault: Fault) -> None:
    """Report nothing; the progress lines show the steps of a fault."""


def inject(lab: Lab, fault: Fault, machine: Machine, *, report: Report = quietly, timer_s: int = TIMER_S) -> None:
    """Inject a fault and verify it; a network fault ends by itself after `timer_s` seconds.

    `report` is called with 'inject' when it begins and 'injected' once it is verified. Raises CheckFailed with the
    reason if it can't be injected now; a fault that can't be verified is healed before the error is raised.
    """
    _refuse(lab, fault)
    began = time.time()
    ledger.add(fault, began)
    progress.say(fault.node, f"injects {fault.id}")
    pair = _pair(lab, fault, machine, timer_s)
    try:
        make = pair.prepare()
        report("inject", fault)
        make()
        ledger.add(fault, began)  # fault.heal may have removed it from the ledger before it was there
    except Exception:
        with suppress(Exception):  # the first error is raised; the fault is still in the ledger
            heal(lab, fault, machine)
        raise
    report("injected", fault)
    progress.say(fault.node, f"{fault.id} is active")


def heal(lab: Lab, fault: Fault, machine: Machine, *, report: Report = quietly) -> None:
    """Heal a fault, verify that it is gone, and remove it from the ledger; healing twice does no harm."""
    progress.say(fault.node, f"heals {fault.id}")
    report("heal", fault)
    if fault.kind not in STARTS_AGAIN:
        started(lab, machine)
    _pair(lab, fault, machine, TIMER_S).heal()
    ledger.remove(fault)
    report("healed", fault)
    progress.say(fault.node, f"{fault.id} is gone")


def heal_all(lab: Lab, *, report: Report = quietly) -> list[Fault]:
    """Heal every fault of the ledger, those of machines first: faults inside a node can be reached only if it runs.

    An error with one does not stop the others; the first error is raised at the end.
    """
    errors: list[Exception] = []
    healed = []
    for name in ledger.strike_gone(lab):
        progress.say("lab", f"{name} is removed from the ledger: lab.yml has no such node")
    for fault in sorted(ledger.active(lab), key=lambda it: it.kind not in MACHINE):
        try:
            heal(lab, fault, machine_of(lab, fault), report=report)
            healed.append(fault)
        except Exception as error:
            progress.say(fault.node, f"{fault.id} is still in the ledger: {explained(error).what}")
            errors.append(error)
    if errors:
        raise errors[0]
    return healed


def machine_of(lab: Lab, fault: Fault) -> Machine:
    """The connection to the node of a fault."""
    return Machine(lab.node(fault.node))


def _refuse(lab: Lab, fault: Fault) -> None:
    reason = conflicts(ledger.active(lab), fault)
    if reason:
        raise CheckFailed(f"{fault.id} can't be injected: {reason}", hint="heal the active faults: invoke fault.heal")
    state = vm_power.states(lab)[fault.node]
    if state != "running":
        raise CheckFailed(f"{fault.id} can't be injected: {fault.node} is {state}", hint="invoke lab.up")


def _pair(lab: Lab, fault: Fault, machine: Machine, timer_s: int) -> Pair:
    maker = MACHINE.get(fault.kind)
    return maker(lab, machine) if maker else _guest(lab, fault, machine, timer_s)


def _guest(lab: Lab, fault: Fault, machine: Machine, timer_s: int) -> Pair:
    made = guest.scripts(fault, lab)
    before = guest.with_timer(fault, made, timer_s)
    end = guest.without_timer(fault, made)

    def prepare() -> Callable[[], object]:
        shell = machine.ready(before, timeout=BACK_S, title=f"{fault.id} is prepared")
        return lambda: _make(machine, fault, made.inject, made.seen, "is injected and seen", shell)

    return Pair(prepare, lambda: _make(machine, fault, end, made.gone, "is healed and gone"))


def _make(machine: Machine, fault: Fault, change: str, seen: str, what: str, shell: Shell | None = None) -> None:
    """Make a change on the node and check until it shows, in one round trip."""
    late = f"[ $SECONDS -lt {SEEN_S:.0f} ] || exit {NOT_SEEN}"
    script = f"( {change}\n) </dev/null || exit 8\nSECONDS=0\n"
    script += f"until ( {seen}\n) </dev/null >/dev/null 2>&1; do {late}; sleep 0.1; done"
    try:
        machine.script(script, timeout=BACK_S, title=f"{fault.id} {what}", shell=shell)
    except CommandFailed as error:
        error.hint = f"inspect the node: vagrant ssh {fault.node}; undo the fault: invoke fault.heal"
        raise
