"""invoke fault.*: break something by hand, see what is broken, undo it."""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from invoke.collection import Collection
from invoke.context import Context

from commands.command import command, say
from lab import progress, topology
from lab.errors import BadInput
from lab.faults import kinds, ledger
from lab.faults.kinds import Fault
from lab.injection import inject_and_heal
from lab.operations import snapshots
from lab.topology import Lab
from lab.wait import SAY_EVERY_S, pause

INJECT = {
    "kind": "what breaks: invoke fault.list shows all kinds",
    "node": "where: lb1, web1, ... as in lab.yml",
    "service": "for the kinds service-...: haproxy, dnsmasq, nginx, php-fpm or mysql",
    "peer": "for partition: a node, or all",
    "delay_ms": "for slow: milliseconds that packets are held back",
    "jitter_ms": "for slow, with --delay-ms: milliseconds by which the delay varies",
    "loss_percent": "for slow: percent of packets that get lost, a number from 0.1 to 100",
    "rate_kbit": "for slow and replication-slow: kbit per second that pass",
    "seconds": "for clock-skew (may be negative) and replication-lag",
    "pages_per_s": "for php-limit: how many requests a second PHP still answers",
    "megabytes": "for large-transaction: its size in megabytes",
    "restarts": "for service-kill (a switch, without a value): let systemd start the service again",
    "receiver_only": "for replication-stop (a switch, without a value): only the receiver stops",
    "for": "seconds after which it is healed; Ctrl-C heals it at once",
    "delay": "milliseconds: the old name of --delay-ms",
    "loss": "percent: the old name of --loss-percent",
    "rate": "kbit per second: the old name of --rate-kbit",
}
NUMBERS = {name for kind in kinds.KINDS.values() for name, option in kind.options.items() if option is not bool}
RENAMED = {"delay": "delay_ms", "loss": "loss_percent", "rate": "rate_kbit"}  # the old names stay for one release


@command(changes=False)
def list_(c: Context) -> None:
    """Show the faults that are active, and the kinds that there are."""
    lines = [f"{'active':<9} {_line(it)}" for it in ledger.entries()] or ["no fault is active"]
    lines += ["", "invoke fault.inject KIND NODE; the kinds are:"]
    lines += [f"  {kind.name:<17} {kind.description}" for kind in kinds.KINDS.values()]
    say("\n".join(lines))


@command(changes=True, interrupted="", positional=["kind", "node"], help=INJECT)
def inject(
    c: Context,
    kind: str,
    node: str,
    service: str = "",
    peer: str = "",
    delay_ms: str = "",
    jitter_ms: str = "",
    loss_percent: str = "",
    rate_kbit: str = "",
    seconds: str = "",
    pages_per_s: str = "",
    restarts: bool = False,
    for_: int = 0,
    delay: str = "",
    loss: str = "",
    rate: str = "",
    megabytes: str = "",
    receiver_only: bool = False,
) -> None:
    """Break something on a node: invoke fault.inject freeze web2, fault.inject service-kill web1 --service nginx."""
    given: dict[str, Any] = {"kind": kind, "node": node, "service": service, "peer": peer, "restarts": restarts}
    given |= {"delay_ms": delay_ms, "jitter_ms": jitter_ms, "loss_percent": loss_percent, "rate_kbit": rate_kbit}
    given |= {"seconds": seconds, "pages_per_s": pages_per_s, "megabytes": megabytes, "receiver_only": receiver_only}
    lab = topology.load()
    fault = _fault(lab, given, {"delay": delay, "loss": loss, "rate": rate}, for_)
    inject_and_heal.inject(lab, fault, inject_and_heal.machine_of(lab, fault), timer_s=for_ or inject_and_heal.TIMER_S)
    if for_:
        _hold(lab, fault, for_)
    else:
        say(f"{fault.id} is active; undo it: invoke fault.heal")


@command(changes=False)
def heal(c: Context) -> None:
    """Undo every fault that was injected; works while another command runs."""
    snapshots.must_be_back()  # to heal a freeze resumes a machine
    healed = inject_and_heal.heal_all(topology.load())
    say("\n".join([f"{fault.id} is gone" for fault in healed] or ["no fault is active"]))


def _fault(lab: Lab, given: Mapping[str, Any], old: Mapping[str, Any], for_s: int) -> Fault:
    """The fault that the options describe; raises BadInput with every mistake in them, by their names here."""
    wanted = {name: value for name, value in given.items() if value}
    found = [f"--for: must be at least 1 (it is {for_s})"] if for_s < 0 else []
    for name, value in old.items():
        new = RENAMED[name]
        if value and new in wanted:
            found.append(f"{_option(new)}: is given twice, --{name} is its old name")
        elif value:
            progress.say("lab", f"--{name} is {_option(new)} now: the next release knows only the new name")
            wanted[new] = value
    wanted = with_numbers(wanted)
    mistakes = kinds.mistakes(lab, wanted, spelled=_option)
    found += [f"{_option(name)}: {text}" if name else text for name, text in mistakes]
    if found:
        raise BadInput.listing("this is not a fault that can be injected", found, hint="invoke --help fault.inject")
    return Fault.parse(lab, wanted)


def _option(name: str) -> str:
    """What a setting of a fault is called on the command line."""
    return name if name in ("kind", "node") else f"--{name.replace('_', '-')}"


def with_numbers(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a command line, whose numbers are texts, as those of a file."""
    return {name: _number(it) if name in NUMBERS else it for name, it in options.items()}


def _number(text: str) -> float | str:
    """A number, or the text itself: then it is refused with its name."""
    for number in (int, float):
        with suppress(ValueError):
            return number(text)
    return text


def _hold(lab: Lab, fault: Fault, seconds: int) -> None:
    """Wait, then heal; whatever interrupts the wait, it is healed."""
    end = time.monotonic() + seconds
    try:
        while (left := end - time.monotonic()) > 0:
            progress.say(fault.node, f"{fault.id} for {left:.0f} more seconds")
            pause(min(left, SAY_EVERY_S))
    finally:
        inject_and_heal.heal(lab, fault, inject_and_heal.machine_of(lab, fault))
    say(f"{fault.id} is gone")


def _line(entry: dict[str, Any]) -> str:
    since = time.time() - entry["injected_at"]
    return f"{entry['id']}, for {since:.0f} s"


commands = Collection("fault", inject, heal)
commands.add_task(list_, name="list")
