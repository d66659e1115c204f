"""What to do next with the databases: from what they answered, touching no host."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from lab.durability import NONE, Durability
from lab.errors import CheckFailed
from lab.mysql import gtid, last_seen, promotion, server_state, stopped_primary
from lab.mysql.data_loss import Situation
from lab.mysql.server_state import Database
from lab.topology import Node

Asked = Mapping[str, Database | None]
DEGRADED = " (degraded by promote)"
HEAL, HEALS = "heal the network between", "invoke fault.heal"
SHUT_OUT = ("denied", "password has expired", "account is locked")  # what MySQL says of an account
NO_STATES: Mapping[str, str] = {}


@dataclass(frozen=True)
class _Facts:
    """The nodes with a database, what they answered, and of those that are not open how they ended."""

    nodes: Sequence[Node]
    asked: Asked
    ended: Mapping[str, str]
    machines: Mapping[str, str]

    @property
    def known(self) -> list[Database]:
        return [it for it in self.asked.values() if it]

    def situation(self, own: Database) -> Situation:
        nodes = {node.name: node for node in self.nodes}
        other = next(nodes[name] for name in self.asked if name != own.node)
        seen, silent = last_seen.recall(), self.ended.get(other.name, "")
        gone = self.machines.get(other.name) == "absent"
        rival = self.asked[other.name]
        return Situation(nodes[own.node], other, own, rival, True, seen, time.time(), silent, gone)


def durability(primary: Database, degraded: str) -> str:
    """How safe its commits are, and whether a promotion made it so."""
    lowered = degraded == primary.node and primary.durability != Durability.DURABLE
    return primary.durability + (DEGRADED if lowered else "")


def unchosen(primary: Database, degraded: str, chosen: Durability) -> list[str]:
    """Commits that are less or more safe than chosen, which somebody set by hand; a promotion's is told elsewhere."""
    if primary.durability in (chosen, NONE) or degraded == primary.node:
        return []
    return [f"commits on {primary.node} are {primary.durability}, chosen is {chosen}; next: invoke lab.provision"]


def advise(
    nodes: Sequence[Node],
    asked: Asked,
    degraded: str,
    ended: Mapping[str, str],
    machines: Mapping[str, str] = NO_STATES,
    stopped: Collection[str] = (),
) -> list[str]:
    """What is wrong between the databases, each with the command that comes next, and that is not refused.

    `ended` says of a server that is not open why it may have released commits that no replica confirmed; `machines`
    are their states; `stopped` are the running nodes whose MySQL was stopped in good order.
    """
    facts = _Facts(nodes, asked, ended, machines)
    primaries = [it for it in facts.known if it.role == "primary"]
    open_replicas = [it for it in facts.known if it.writable and it not in primaries]
    if primaries and open_replicas:
        return [_open(it) for it in open_replicas]
    if len(primaries) == 1:
        return _with_primary(facts, primaries[0], degraded)
    if len(primaries) > 1:
        return [f"{len(primaries)} primaries, there should be 1; next: invoke lab.reset"]
    missing = [name for name, it in asked.items() if it is None]
    if not facts.known or not missing:
        return [f"0 primaries, there should be 1; next: {_closed(facts)}"]
    what = f"nobody takes writes, and MySQL on {', '.join(missing)} does not answer"
    cheaper = "".join(stopped_primary.restarts(facts.situation(own), stopped) for own in facts.known)
    return [f"{what}; next: {cheaper}{_promotes(facts)}"]


def _open(replica: Database) -> str:
    """A server boots read-only; what was written there meanwhile is found, and told, after that."""
    what = f"{replica.node} is open for writes, and replicates: somebody opened it by hand"
    return f"{what}; next: {_restarts(replica.node)}"


def _restarts(name: str) -> str:
    return f'invoke lab.exec {name} "systemctl restart mysql"'


def _promotes(facts: _Facts) -> str:
    """The promotion that is not refused now, rather of the server that has most and with nothing lost."""
    known = sorted(facts.known, key=lambda it: -gtid.count(gtid.parse(it.gtid_executed)))
    cases = [facts.situation(own) for own in known]
    for it in cases:
        if _is_allowed(it) and not it.own.stuck:
            return f"invoke db.promote {it.node.name}"
    for it in cases:
        if not it.gone and facts.machines.get(it.other.name) != "paused" and _is_salvaged(it):
            heals = f"{HEALS}, then " if promotion.cut_off(it.node.name) else ""
            return f"{heals}invoke db.promote {it.node.name} --salvage"
    for it in cases:
        if it.rival is None and not it.gone:
            return _answers(facts, it.other.name)
    for it in cases:
        if _is_allowed(it, accept_data_loss=True):
            return f"invoke db.promote {it.node.name} --accept-data-loss"
    return "invoke lab.reset"


def _is_salvaged(it: Situation) -> bool:
    """Whether something can be fetched for a server from the other one, which may have to be started for it.

    An empty server, and one that lost what its machine wrote, only a copy can fill.
    """
    own, rival = it.own, it.rival
    if not own.gtid_executed:
        return False
    if rival is None:
        known = it.seen.gtid_executed if it.seen and it.seen.node == it.other.name else own.gtid_executed
        return not server_state.made_by(own, gtid.minus(own.gtid_executed, known))
    lacks = gtid.minus(rival.has, own.has)
    if gtid.minus(own.gtid_executed, rival.gtid_executed) or not gtid.subset(rival.purged, own.has):
        return False
    return bool(lacks) and server_state.made_by(rival, lacks) == lacks  # of its own machine's it would receive none


def _is_allowed(it: Situation, *, accept_data_loss: bool = False) -> bool:
    try:
        promotion.decide(it, accept_data_loss=accept_data_loss)
    except CheckFailed:
        return False
    return True


def _with_primary(facts: _Facts, primary: Database, degraded: str) -> list[str]:
    if primary.source:
        what = f"{primary.node} is open and listens to its replica: a change of roles was interrupted"
        return [f"{what}; next: invoke db.promote {primary.node}"]
    others = [(name, it) for name, it in facts.asked.items() if name != primary.node]
    for name, it in others:
        if it and it.has_site and not primary.has_site:
            what = f"{primary.node} is open and has no data, {name} has"
            return [f"{what}; next: {_restarts(primary.node)}"]
    lines: list[str] = []
    for name, it in others:
        errant = server_state.errant(it, primary) if it and it.source else 0
        if it and it.source and errant:
            lines.append(f"{name} has {gtid.counted(errant)} of its own that {primary.node} has not")
        elif it and it.source and server_state.lost(it, primary):
            lines.append(f"{name} lacks what it wrote itself, which no replica receives: it needs a copy")
        elif it and not it.source:
            lines.append(f"{name} does not replicate, and {server_state.compared(it, primary)}")
        elif it is None and degraded == primary.node:
            lines.append(f"{primary.node} has no replica: commits are {durability(primary, degraded)}")
        elif it is None:
            waits = "writes wait: durable, and " if primary.durability == Durability.DURABLE and primary.waits else ""
            lines.append(f"{waits}MySQL on {name} does not answer; next: {_returns(facts, name)}")
            continue
        elif it and it.replicating and durability(primary, degraded) != primary.durability:
            lines.append(f"{name} is back, and commits are still {durability(primary, degraded)}")
        elif it and not it.replicating:
            waits = "writes wait: " if primary.waits and not it.receiving else ""
            lines.append(f"{waits}{name} does not replicate from {primary.node}; next: {_starts(it, primary)}")
            continue
        else:
            continue
        lines[-1] += f"; next: {promotion.rejoins(name, gone=facts.machines.get(name) == 'absent')}"
    return [*lines, *_without_durability(facts, primary)]  # a converge, which sets it, refuses what those lines tell of


def _answers(facts: _Facts, name: str) -> str:
    """The command that makes a server answer again; what was broken on purpose is healed first."""
    if promotion.broken(name):
        return HEALS
    if facts.machines.get(name, "running") != "running":
        return "invoke lab.up"
    return _restarts(name)  # it is stopped, or hangs; a converge needs its answer


def _returns(facts: _Facts, name: str) -> str:
    """The command that makes a server answer again beside a primary: a rejoin starts its machine and attaches it."""
    state = facts.machines.get(name, "running")
    return _answers(facts, name) if state == "running" else promotion.rejoins(name, gone=state == "absent")


def _without_durability(facts: _Facts, primary: Database) -> list[str]:
    """Somebody opened it, or switched semi-sync off, by hand; a converge, which sets it, needs every answer."""
    if primary.durability != NONE:
        return []
    silent = [name for name, it in facts.asked.items() if it is None]
    then = _returns(facts, silent[0]) if silent else "invoke lab.provision"
    return [f"no durability is set on {primary.node}, so the site leaves no notes there; next: {then}"]


def _starts(replica: Database, primary: Database) -> str:
    """The command that makes a replica go on; what was broken on purpose is healed first."""
    if promotion.broken(replica.node) or promotion.broken(primary.node):
        return HEALS
    # A wrong password lab.provision repairs, where the applier runs.
    fails = replica.error and not (replica.applying and _is_shut_out(replica))
    return "invoke lab.provision" if _can_catch_up(replica, primary) and not fails else promotion.rejoins(replica.node)


def _can_catch_up(replica: Database, source: Database) -> bool:
    return gtid.subset(source.purged, replica.has)


def _closed(facts: _Facts) -> str:
    """Nobody is open: lab.provision opens where that is certain, else one is chosen."""
    if len(facts.known) < 2:
        return "invoke lab.up" if set(facts.machines.values()) - {"running"} else "invoke lab.provision"
    one, other = sorted(facts.known, key=lambda it: not it.source)
    if one.source and not other.source and gtid.subset(one.gtid_executed, other.gtid_executed):
        if not _can_catch_up(one, other):
            return f"{_promotes(facts)}, then invoke db.rejoin {one.node}"
        if one.error and not one.applying:  # lab.provision would start it in vain
            return _promotes(facts)
        return _cut_off(facts, one) if _connects(one) else "invoke lab.provision"
    return _promotes(facts)


def _connects(replica: Database) -> bool:
    """Whether it tries to reach its source, and can't; with a wrong password it could, and lab.provision repairs it."""
    return not replica.receiving and not replica.stopped and not _is_shut_out(replica)


def _is_shut_out(replica: Database) -> bool:
    """Whether its source refuses the account with which it replicates."""
    return any(words in replica.error.lower() for words in SHUT_OUT)


def _cut_off(facts: _Facts, replica: Database) -> str:
    """lab.provision would wait for a replica in vain; that one is promoted, or the network comes first."""
    it = facts.situation(replica)
    if _is_allowed(it) and _is_allowed(replace(it, reached=False)):
        return f"invoke db.promote {replica.node}"
    heal = f"{HEAL} {it.node.name} and {it.other.name} (invoke fault.heal)"
    return f"{heal}, then invoke lab.provision"
