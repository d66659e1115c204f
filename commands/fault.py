"""invoke fault.*: break something by hand, see what is broken, undo it."""

import time
from collections.abc import Mapping
from typing import Any

from invoke.collection import Collection
from invoke.context import Context

from commands.command import command, say
from lab import progress, topology
from lab.faults import kinds, ledger
from lab.faults.kinds import Fault
from lab.injection import inject_and_heal
from lab.operations import snapshots
from lab.topology import Lab
from lab.wait import SAY_EVERY_S, pause

INJECT = {
    "service": "haproxy, nginx, php-fpm or mysql, for the kinds service-...",
    "peer": "for partition: a node, or all",
    "delay_ms": "for slow: milliseconds that packets are held back",
    "jitter_ms": "for slow, with a delay: milliseconds by which it varies",
    "loss_percent": "for slow: percent of packets that get lost",
    "rate_kbit": "for slow and replication-slow: kbit per second that pass",
    "seconds": "for clock-skew (may be negative) and replication-lag",
    "pages_per_s": "for php-limit: how many requests a second PHP still answers",
    "restarts": "for service-kill: let systemd start it again",
    "for": "heal it after so many seconds; Ctrl-C heals it at once",
    "delay": "the old name of --delay-ms",
    "loss": "the old name of --loss-percent",
    "rate": "the old name of --rate-kbit",
}
RENAMED = {"delay": "delay_ms", "loss": "loss_percent", "rate": "rate_kbit"}  # the old names stay for one release


@command(changes=False)
def list_(c: Context) -> None:
    """Show the faults that are active, and the kinds that there are."""
    lines = [f"{'active':<9} {_line(it)}" for it in ledger.entries()] or ["no fault is active"]
    lines += ["", "invoke fault.inject KIND NODE; the kinds are:"]
    lines += [f"  {kind.name:<17} {kind.description}" for kind in kinds.KINDS.values()]
    say("\n".join(lines))


@command(changes=True, positional=["kind", "node"], help=INJECT)
def inject(
    c: Context,
    kind: str,
    node: str,
    service: str = "",
    peer: str = "",
    delay_ms: int = 0,
    jitter_ms: int = 0,
    loss_percent: float = 0.0,
    rate_kbit: int = 0,
    seconds: int = 0,
    pages_per_s: int = 0,
    restarts: bool = False,
    for_: int = 0,
    delay: int = 0,
    loss: float = 0.0,
    rate: int = 0,
) -> None:
    """Break something on a node: invoke fault.inject freeze web2, fault.inject service-kill web1 --service nginx."""
    given: dict[str, Any] = {"kind": kind, "node": node, "service": service, "peer": peer, "restarts": restarts}
    given |= {"delay_ms": delay_ms, "jitter_ms": jitter_ms, "loss_percent": loss_percent, "rate_kbit": rate_kbit}
    given |= {"seconds": seconds, "pages_per_s": pages_per_s}
    lab = topology.load()
    renamed = _renamed({"delay": delay, "loss": loss, "rate": rate})
    fault = Fault.parse(lab, renamed | {name: value for name, value in given.items() if value})
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


def _renamed(given: Mapping[str, float]) -> dict[str, float]:
    """The options that were given by an old name, by that of today; says which one that is."""
    old = {name: value for name, value in given.items() if value}
    for name in old:
        new = RENAMED[name].replace("_", "-")
        progress.say("lab", f"--{name} is --{new} now: the next release knows only the new name")
    return {RENAMED[name]: value for name, value in old.items()}


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
