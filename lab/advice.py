"""What to do next with the databases, and how they follow each other: from what they answered, touching no host."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lab import databases, gtid, promotion, remembered
from lab.databases import Database
from lab.doubts import Situation
from lab.errors import CheckFailed
from lab.topology import Node

Asked = Mapping[str, Database | None]
DEGRADED = " (degraded by promote)"
HEAL = "heal the network between"
NO_STATES: Mapping[str, str] = {}


@dataclass(frozen=True)
class _Sight:
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
        seen, silent = remembered.recall(), self.ended.get(other.name, "")
        gone = self.machines.get(other.name) == "absent"
        rival = self.asked[other.name]
        return Situation(nodes[own.node], other, own, rival, True, seen, time.time(), silent, gone)


def durability(primary: Database, degraded: str) -> str:
    """How safe its commits are, and whether a promotion made it so."""
    lowered = degraded == primary.node and primary.durability != "durable"
    return primary.durability + (DEGRADED if lowered else "")


def unchosen(primary: Database, degraded: str, chosen: str) -> list[str]:
    """Commits that are less or more safe than chosen, which somebody set by hand; a promotion's is told elsewhere."""
    if primary.durability in (chosen, databases.NONE) or degraded == primary.node:
        return []
    return [f"commits on {primary.node} are {primary.durability}, chosen is {chosen}; next: invoke lab.provision"]


def advise(
    nodes: Sequence[Node],
    asked: Asked,
    degraded: str,
    ended: Mapping[str, str],
    machines: Mapping[str, str] = NO_STATES,
) -> list[str]:
    """What is wrong between the databases, each with the command that comes next, and that is not refused.

    `ended` says of a server that is not open why it may have released commits that no replica confirmed; `machines`
    are their states.
    """
    sight = _Sight(nodes, asked, ended, machines)
    primaries = [it for it in sight.known if it.role == "primary"]
    if len(primaries) == 1:
        return _with_primary(sight, primaries[0], degraded)
    if len(primaries) > 1:
        return [f"{len(primaries)} primaries, there should be 1; next: invoke lab.reset"]
    missing = [name for name, it in asked.items() if it is None]
    if not sight.known or not missing:
        return [f"0 primaries, there should be 1; next: {_closed(sight)}"]
    what = f"nobody takes writes, and MySQL on {', '.join(missing)} does not answer"
    return [f"{what}; next: {_promotes(sight)}"]


def _promotes(sight: _Sight) -> str:
    """The promotion that is not refused now, rather of the server that has most and with nothing lost."""
    known = sorted(sight.known, key=lambda it: -gtid.count(gtid.parse(it.gtid_executed)))
    cases = [sight.situation(own) for own in known]
    for it in cases:
        if _is_allowed(it) and not _stuck(it.own):
            return f"invoke db.promote {it.node.name}"
    for it in cases:
        if not it.gone and (it.rival is None or _is_source(it.own, it.rival)):
            return f"invoke db.promote {it.node.name} --salvage"
    for it in cases:
        if _is_allowed(it, accept_data_loss=True):
            return f"invoke db.promote {it.node.name} --accept-data-loss"
    return "invoke lab.reset"


def _stuck(own: Database) -> bool:
    """Whether it can't apply what it received."""
    fails = bool(own.error) and not own.applying
    return fails and not gtid.subset(own.received, own.gtid_executed)


def _is_source(own: Database, rival: Database) -> bool:
    """Whether a server has nothing of its own, and something can be fetched for it from the other one."""
    return gtid.subset(own.gtid_executed, rival.gtid_executed) and not gtid.subset(rival.has, own.has)


def _is_allowed(it: Situation, *, accept_data_loss: bool = False) -> bool:
    try:
        promotion.decide(it, accept_data_loss=accept_data_loss)
    except CheckFailed:
        return False
    return True


def _with_primary(sight: _Sight, primary: Database, degraded: str) -> list[str]:
    if primary.source:
        what = f"{primary.node} is open and listens to its replica: a change of roles was interrupted"
        return [f"{what}; next: invoke db.promote {primary.node}"]
    others = [(name, it) for name, it in sight.asked.items() if name != primary.node]
    lines = _without_durability(sight, primary)
    for name, it in others:
        errant = databases.errant(it, primary) if it and it.source else 0
        if it and it.source and errant:
            lines.append(f"{name} has {errant} transactions of its own that {primary.node} has not")
        elif it and it.source and databases.lost(it, primary):
            lines.append(f"{name} lacks what it wrote itself, which no replica receives: it needs a copy")
        elif it and not it.source:
            own = gtid.count(gtid.minus(it.gtid_executed, primary.gtid_executed))
            lines.append(f"{name} does not replicate, and has {own} transactions that {primary.node} has not")
        elif it is None and degraded == primary.node:
            lines.append(f"{primary.node} has no replica: commits are {durability(primary, degraded)}")
        elif it is None and primary.durability == "durable" and primary.waits:
            lines.append(f"writes wait: durable, and MySQL on {name} does not answer; next: {_answers(sight, name)}")
            continue
        elif it and it.replicating and durability(primary, degraded) != primary.durability:
            lines.append(f"{name} is back, and commits are still {durability(primary, degraded)}")
        elif it and not it.replicating:
            waits = "writes wait: " if primary.waits and not it.receiving else ""
            lines.append(f"{waits}{name} does not replicate from {primary.node}; next: {_starts(it, primary)}")
            continue
        else:
            continue
        lines[-1] += f"; next: {promotion.rejoins(name, gone=sight.machines.get(name) == 'absent')}"
    return lines


def _answers(sight: _Sight, name: str) -> str:
    """The command that makes a server answer again; what was broken on purpose is healed first."""
    if promotion.broken(name):
        return "invoke fault.heal"
    if sight.machines.get(name, "running") != "running":
        return "invoke lab.up"
    return f'invoke lab.exec {name} "systemctl restart mysql"'  # it is stopped, or hangs; a converge needs its answer


def _without_durability(sight: _Sight, primary: Database) -> list[str]:
    """Somebody opened it, or switched semi-sync off, by hand; a converge, which sets it, needs every answer."""
    if primary.durability != databases.NONE:
        return []
    silent = [name for name, it in sight.asked.items() if it is None]
    then = _answers(sight, silent[0]) if silent else "invoke lab.provision"
    return [f"no durability is set on {primary.node}, so the site leaves no notes there; next: {then}"]


def _starts(replica: Database, primary: Database) -> str:
    """The command that makes a replica go on; what was broken on purpose is healed first."""
    if promotion.broken(replica.node) or promotion.broken(primary.node):
        return "invoke fault.heal"
    # A wrong password lab.provision repairs, where the applier runs.
    fails = replica.error and not (replica.applying and "denied" in replica.error.lower())
    return "invoke lab.provision" if _can_catch_up(replica, primary) and not fails else promotion.rejoins(replica.node)


def _can_catch_up(replica: Database, source: Database) -> bool:
    return gtid.subset(source.purged, replica.has)


def _closed(sight: _Sight) -> str:
    """Nobody is open: lab.provision opens where that is certain, else one is chosen."""
    if len(sight.known) < 2:
        return "invoke lab.up" if set(sight.machines.values()) - {"running"} else "invoke lab.provision"
    one, other = sorted(sight.known, key=lambda it: not it.source)
    if one.source and not other.source and gtid.subset(one.gtid_executed, other.gtid_executed):
        if not _can_catch_up(one, other):
            return f"{_promotes(sight)}, then invoke db.rejoin {one.node}"
        if one.error and not one.applying:  # lab.provision would start it in vain
            return _promotes(sight)
        return _cut_off(sight, one) if _connects(one) else "invoke lab.provision"
    return _promotes(sight)


def _connects(replica: Database) -> bool:
    """Whether it tries to reach its source, and can't; with a wrong password it could, and lab.provision repairs it."""
    return not replica.receiving and not replica.stopped and "denied" not in replica.error.lower()


def _cut_off(sight: _Sight, replica: Database) -> str:
    """lab.provision would wait for a replica in vain; that one is promoted, or the network comes first."""
    it = sight.situation(replica)
    if _is_allowed(it) and _is_allowed(replace(it, reached=False)):
        return f"invoke db.promote {replica.node}"
    heal = f"{HEAL} {it.node.name} and {it.other.name} (invoke fault.heal)"
    return f"{heal}, then invoke lab.provision"


def tree(nodes: Sequence[Node], asked: Asked, degraded: str) -> str:
    """Who replicates from whom, as text: role, lag, how many transactions each lacks and has alone."""
    address = {str(node.ip): node.name for node in nodes}
    children: dict[str, list[str]] = {}
    for name, it in asked.items():
        source = address.get(it.source, it.source) if it else ""
        children.setdefault(source if source in asked else "", []).append(name)
    roots = children.get("", []) or list(asked)[:1]  # two that replicate from each other have no root
    return "\n".join(line for root in roots for line in _branch(root, asked, children, degraded, ()))


def _branch(
    name: str, asked: Asked, children: Mapping[str, Sequence[str]], degraded: str, above: tuple[str, ...]
) -> list[str]:
    words = _words(asked, name, above[-1] if above else "", degraded)
    lines = [f"{'   ' * (len(above) - 1)}{'└─ ' if above else ''}{name}: {words}"]
    for child in children.get(name, ()):
        if child not in (*above, name):
            lines += _branch(child, asked, children, degraded, (*above, name))
    return lines


def _words(asked: Asked, name: str, source: str, degraded: str) -> str:
    it = asked[name]
    if it is None:
        return "does not answer"
    words = [it.role, "writable" if it.writable else "read-only"]
    if it.writable:
        words += [f"durability {durability(it, degraded)}", f"semi-sync {'ON' if it.waits else 'OFF'}"]
    if it.source:
        words.append(f"{it.lag_s} s behind" if it.replicating else f"not replicating {it.error}".strip())
    total = gtid.count(gtid.parse(it.gtid_executed))
    return ", ".join([*words, f"{total} transactions{_difference(it, asked.get(source) or _other(asked, name))}"])


def _other(asked: Asked, name: str) -> Database | None:
    """For a server without a source, the one that takes writes."""
    return next((it for other, it in asked.items() if it and other != name and it.writable), None)


def _difference(it: Database, other: Database | None) -> str:
    if other is None:
        return ""
    lacks = gtid.count(gtid.minus(other.gtid_executed, it.gtid_executed))
    alone = gtid.count(gtid.minus(it.gtid_executed, other.gtid_executed))
    return f" ({lacks} of {other.node} missing, {alone} that {other.node} has not)"
