"""Failures of the simulated pair, accidental, injected or by hand: each event affects one of its servers.

An event that does not apply, for example to replication without a source, does nothing.
"""

from collections.abc import Callable, Mapping

from lab.faults import ledger
from lab.faults.kinds import ALL, Fault
from tests.support.simulated.mysql import SEMI_SYNC, Server
from tests.support.simulated.pair import Pair
from tests.support.simulated.replica import BOTH, Replica

Event = Callable[[Pair, Server], object]
FRESH = "33333333-71ca-11e1-9e33-c80aa9429562", "44444444-71ca-11e1-9e33-c80aa9429562"


def peer(pair: Pair, it: Server) -> Server:
    """The other server."""
    return next(other for other in pair.servers if other is not it)


def _on(pair: Pair, it: Server) -> bool:
    return pair.power[it.node.name] == "running"


def _kill(pair: Pair, it: Server) -> None:
    if _on(pair, it):
        pair.crash(it)


def _stop(pair: Pair, it: Server) -> None:
    if _on(pair, it) and it.runs and not it.silent:
        it.stop()


def _silence(pair: Pair, it: Server) -> None:
    if _on(pair, it) and it.runs:
        it.silent = True
        ledger.add(Fault("service-freeze", it.node.name, service="mysql"), 1.0)


def _restart(pair: Pair, it: Server) -> None:
    _stop(pair, it)
    if _on(pair, it):
        it.start()


def _unplug(pair: Pair, it: Server) -> None:
    if pair.power[it.node.name] in ("running", "paused"):
        pair.power_off(it.node)


def _fault_off(pair: Pair, it: Server) -> None:
    _unplug(pair, it)
    ledger.add(Fault("power-off", it.node.name), 1.0)


def _shut_down(pair: Pair, it: Server) -> None:
    if _on(pair, it):
        _stop(pair, it)
        pair.power_off(it.node)
        pair.off_because[it.node.name] = "shutdown"


def _reboot(pair: Pair, it: Server) -> None:
    """The memory is new; the console goes on, because the machine's process does."""
    if _on(pair, it):
        _stop(pair, it)
        saved = pair.nodes.console(it.node.name) or ""
        pair.nodes.boot(it.node.name)
        (pair.nodes.folder / it.node.name / "console").write_text(saved, encoding="utf-8")
        it.start()


def _power_on(pair: Pair, it: Server) -> None:
    if pair.power[it.node.name] == "off":
        pair.power_on(it.node)


def _freeze(pair: Pair, it: Server) -> None:
    if _on(pair, it):
        pair.power[it.node.name] = "paused"
        ledger.add(Fault("freeze", it.node.name), 1.0)


def _cut(pair: Pair, it: Server) -> None:
    other = peer(pair, it)
    pair.cut = True
    pair.unreached |= {it.node.name: [str(other.node.ip)], other.node.name: [str(it.node.ip)]}
    ledger.add(Fault("partition", it.node.name, peer=other.node.name), 1.0)


def _cut_off(pair: Pair, it: Server) -> None:
    other = peer(pair, it)
    pair.cut = True
    pair.unreached |= {other.node.name: [str(it.node.ip)], "lb1": [str(it.node.ip)]}
    pair.unreached |= {it.node.name: [str(other.node.ip)]}
    ledger.add(Fault("partition", it.node.name, peer=ALL), 1.0)


def _threads(names: str) -> Event:
    def stop(_: Pair, it: Server) -> None:
        it.replica.running -= frozenset(names.split())

    return stop


def _fault_stop(pair: Pair, it: Server) -> None:
    if it.replica.running:
        it.replica.running = frozenset()
        ledger.add(Fault("replication-stop", it.node.name), 1.0)


def _late(pair: Pair, it: Server) -> None:
    if it.replica.running:
        it.replica.delay = 120
        ledger.add(Fault("replication-lag", it.node.name, options={"seconds": 120}), 1.0)


def _torn(cause: Event) -> Event:
    """The relay log holds a part of what the source was sending, and the rest does not come."""

    def tears(pair: Pair, it: Server) -> None:
        if it.replica.running == BOTH and it.replica.connected and peer(pair, it).may_write:
            it.replica.torn = True
            cause(pair, it)

    return tears


def _damage(pair: Pair, it: Server) -> None:
    if it.replica.source:
        it.replica.damaged, it.replica.error = True, "Relay log read failure"
        it.replica.running -= {"SQL"}


def _differ(pair: Pair, it: Server) -> None:
    if it.replica.source:
        it.replica.differs, it.replica.error = True, "Could not execute Write_rows event: duplicate entry"
        it.replica.running -= {"SQL"}


def _write(pair: Pair, it: Server) -> None:
    if it.runs and not it.may_write:
        it.write()


def _open(pair: Pair, it: Server) -> None:
    if it.runs and _on(pair, it):
        it.set_global("read_only", value=False, lock_wait_timeout=1)


def _close(pair: Pair, it: Server) -> None:
    """The statement waits for running commits, without end if those wait for a replica."""
    if it.runs and _on(pair, it) and not it.waits_for_replica:
        it.set_global("super_read_only", value=True, lock_wait_timeout=1)


def _no_semi_sync(pair: Pair, it: Server) -> None:
    if it.may_write:
        it.waiting = 0  # the site answers 504 to those that wait
        it.set_global(SEMI_SYNC, value=False, lock_wait_timeout=1)


def _destroy(pair: Pair, it: Server) -> None:
    _unplug(pair, it)
    pair.power[it.node.name] = "absent"
    it.executed = it.purged = ""
    it.uuid = FRESH[pair.servers.index(it)]
    it.uuids.add(it.uuid)
    it.has_site, it.replica = False, Replica(it)
    pair.nodes.boot(it.node.name)


def create(pair: Pair, it: Server) -> None:
    """A machine that did not exist exists again, with an empty server."""
    pair.power[it.node.name] = "off"
    pair.power_on(it.node)


def _anew(pair: Pair, it: Server) -> None:
    _destroy(pair, it)
    create(pair, it)


def _deny(pair: Pair, it: Server) -> None:
    it.replica.denied = bool(it.replica.source)


def _purge(pair: Pair, it: Server) -> None:
    it.purged = it.executed if it.runs else it.purged


STRIKES: Mapping[str, Event] = {
    "MySQL killed": _kill,
    "MySQL stopped": _stop,
    "MySQL restarted": _restart,
    "MySQL frozen": _silence,
    "plug pulled": _unplug,
    "power-off injected": _fault_off,
    "shut down": _shut_down,
    "rebooted": _reboot,
    "frozen": _freeze,
    "cut from the other": _cut,
    "cut from all": _cut_off,
    "replication stopped": _threads("IO SQL"),
    "receiver stopped": _threads("IO"),
    "applier stopped": _threads("SQL"),
    "replication-stop injected": _fault_stop,
    "replication late": _late,
    "torn by a power-off": _torn(lambda pair, it: _unplug(pair, peer(pair, it))),
    "torn by a cut": _torn(_cut),
    "torn by a stopped receiver": _torn(_threads("IO")),
    "relay log damaged": _damage,
    "data differ": _differ,
    "wrote by itself": _write,
    "opened by hand": _open,
    "closed by hand": _close,
    "semi-sync off by hand": _no_semi_sync,
    "destroyed": _destroy,
    "made anew": _anew,
    "password wrong": _deny,
    "logs purged": _purge,
    "powered on": _power_on,
}
