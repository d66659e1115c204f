"""invoke db.promote: make another server the primary, whether the old one answers or not; never two at a time."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from lab import progress
from lab.durability import Durability, InForce
from lab.errors import CheckFailed, LabError, TimedOut
from lab.mysql import advice, gtid, last_seen, promotion
from lab.mysql.data_loss import Situation
from lab.mysql.promotion import Promotion
from lab.mysql.server_state import Database
from lab.nodes import site, vm_power
from lab.nodes.facts import databases_of, ended_because
from lab.nodes.ssh import Shell, together
from lab.replication import salvage as salvaging
from lab.replication import switchover
from lab.replication.fencing import fence
from lab.replication.mysql_cli import sql
from lab.replication.open_for_writes import LEAVE
from lab.replication.session import ALL_ENDED, END_ALL, client
from lab.replication.set_durability import remembers
from lab.replication.survey import ask
from lab.replication.survivor import apply_received, open_it
from lab.replication.switchover import NotCaughtUp, NotClosed, Roles
from lab.state import choices, lock
from lab.topology import Lab
from lab.wait import until

VERIFIED_S, FOLLOWED_S = 60.0, 30.0
KNOWN_NOTE = """mysql -N --raw --default-character-set=utf8mb4 -e "SELECT JSON_OBJECT('token', token, 'body', body)
FROM site.notes ORDER BY created_at LIMIT 1" """
LEFT_OUT = {
    "fencing": "{other} is not powered off: if it runs, it may take writes beside {node}",
    "relay-log": "{node} discards what it received and has not applied",
}


def promote(
    lab: Lab, name: str, *, accept_data_loss: bool = False, stay_durable: bool = False, salvage: bool = False
) -> list[str]:
    """Make a server the primary; return in words what was done and why.

    `salvage` first starts the old primary read-only and fetches what only it has. Raises Unreachable if the server does
    not answer, CheckFailed if it must not be promoted: then nothing was changed, or the error says what was.
    """
    roles = Roles.of(lab, name)
    if salvage:
        salvaging.salvage(lab, roles)
    situation, dead, shell = ask(lab, roles)
    how = replace(promotion.decide(situation, accept_data_loss=accept_data_loss), accepted=accept_data_loss)
    if how.method == "nothing":
        return _nothing(roles, situation, how)
    _begins(situation, how)
    alone = roles if stay_durable else replace(roles, durability=_without_replica(roles.durability))
    with _seen_where_it_fails(roles, situation):
        if how.method == "planned" and situation.rival:
            try:
                to = roles if how.attach else _keep_lowered(alone, roles)
                outage_s = switchover.planned(to, situation.own, situation.rival, attach=how.attach)
                return _verified(lab, roles, how, f"no server took writes for {outage_s:.1f} s")
            except (NotClosed, NotCaughtUp) as error:
                if isinstance(error, NotCaughtUp) and (situation.rival.writable or not accept_data_loss):
                    raise
                progress.say(roles.other.node.name, f"{error.what}; so it is treated as gone")
                situation, dead, shell = ask(lab, roles)
                how = replace(promotion.emergency(situation, accept_data_loss=accept_data_loss), accepted=how.accepted)
                _begins(situation, how)
        done = _alone(lab, _keep_lowered(alone, roles), situation, how, dead, shell)
        return _verified(lab, roles, how, done, gone=situation.gone)


@contextmanager
def _seen_where_it_fails(roles: Roles, it: Situation) -> Iterator[None]:
    """Record both servers after a failed promotion, once nothing of it is left on them: then it is over."""
    try:
        yield
    except LabError:
        if it.rival:
            at, ended = time.time(), f"{END_ALL}\n{ALL_ENDED} || exit 1"
            asked = databases_of([roles.node, roles.other], first=ended)
            if all(asked.values()):
                last_seen.remember(at, asked.values())
                last_seen.settled()
        raise


def _begins(it: Situation, how: Promotion) -> None:
    """Record what the server has, and say what may be lost, before any change: the command may be killed during one."""
    left = it.seen is not None and it.seen.left and not it.own.source  # an earlier promotion made it leave its source
    last_seen.opening(it.node.name, it.own.has, leaves=left)
    if how.lost:
        progress.say(it.node.name, f"may be lost: {how.lost}")


def _without_replica(durability: Durability) -> Durability:
    """The durability without a replica: in durable mode every write would wait for one."""
    return Durability.AVAILABLE if durability == Durability.DURABLE else durability


def _keep_lowered(alone: Roles, chosen: Roles) -> Roles:
    """Record a lowered durability before it is set: later commands must know that it was not the choice."""
    if alone.durability != chosen.durability:
        last_seen.degrade(chosen.node.node.name)
    return alone


def _nothing(roles: Roles, it: Situation, how: Promotion) -> list[str]:
    if it.own.source:
        sql(roles.node, LEAVE, "cancels the interrupted change of roles")
    if it.rival and it.rival.source == str(it.node.ip) and it.rival.replicating:
        remembers([roles.node, roles.other], roles.node)
        return [f"{how.why}; nothing was changed"]
    next_ = promotion.rejoins(it.other.name, gone=it.gone)
    return [how.why, f"{it.other.name} does not replicate from it; next: {next_}"]


def _alone(lab: Lab, roles: Roles, it: Situation, how: Promotion, dead: bool, shell: Shell | None) -> str:
    """Fence the old primary while the survivor applies all it received, then open the survivor; return what was done.

    Only a command that an experiment runs leaves out the protections that the experiment removed, and says so.
    """
    node, other = roles.node.node.name, roles.other.node.name
    without = choices.load().without if lock.is_a_part() else ()
    notices = [f"without {it}: {LEFT_OUT[it].format(node=node, other=other)}" for it in without if it in LEFT_OUT]
    for line in notices:
        progress.say(node, line)
    works: Mapping[str, Callable[[], Any]] = {
        node: lambda: _applies(roles, it, how, shell or client(roles.node), without),
        other: lambda: "" if "fencing" in without else fence(lab, roles.other, dead),
    }
    (torn, shell, had), fenced = together(lambda machine: works[machine.node.name](), [roles.node, roles.other])
    if fenced and not how.lost:
        _nothing_released_meanwhile(it)
    if had is not None:
        last_seen.opening(node, had, leaves=True)
    open_it(roles, shell, had)
    fenced = f"{fenced}, so it can't take writes beside {node}" if fenced else ""
    return "; ".join(filter(None, [fenced, *notices, torn]))


def _applies(
    roles: Roles, it: Situation, how: Promotion, shell: Shell, without: Sequence[str]
) -> tuple[str, Shell, str | None]:
    """Apply what the survivor received; return what it gave up, in words, its client, and what it must have to open."""
    if "relay-log" in without:
        return "", shell, None
    try:
        return apply_received(roles, shell) if it.own.source else "", shell, it.own.has
    except CheckFailed as error:
        if not how.accepted:
            fetch = "" if it.gone else f"; or fetch it again: invoke db.promote {it.node.name} --salvage"
            error.hint += f"{fetch}; or accept the loss: invoke db.promote {it.node.name} --accept-data-loss"
            raise
    left = gtid.minus(it.own.received, it.own.gtid_executed)
    lost = gtid.text(left) or "an incomplete transaction"
    message = f"{it.node.name} can't apply what it received and gives up {lost}"
    progress.say(it.node.name, message)
    return message, client(roles.node), None


def _nothing_released_meanwhile(it: Situation) -> None:
    """Refuse if the old primary was asked to stop between the query and its power-off, as its console would show.

    A primary that was closed by then had no commits to release.
    """
    closed = it.rival is not None and not it.rival.writable
    if closed or not vm_power.off_because(it.other):
        return
    try:
        promotion.emergency(replace(it, rival=None, ended=ended_because(it.other, "")))
    except CheckFailed as error:
        error.what += f"; {it.other.name} was powered off"
        raise


def _verified(lab: Lab, roles: Roles, how: Promotion, done: str, *, gone: bool = False) -> list[str]:
    """Verify that one server takes writes and that the site writes there; return the lines of the report."""
    name, other = roles.node.node.name, roles.other.node.name
    machines = [roles.node, roles.other] if how.method == "planned" else [roles.node]
    latest: dict[str, Database | None] = {}

    def alone() -> bool:
        latest.update(databases_of(machines))
        return [it.node for it in latest.values() if it and it.writable] == [name]

    def silent() -> str:
        return "\n".join(f"{it.node}: {it.role} {it.error}" for it in latest.values() if it)

    hint = "invoke db.status"
    until(f"{name} is the only primary", alone, VERIFIED_S, where=name, evidence=silent, hint=hint)
    followed = _is_followed(lambda: alone() and _follows(latest, other, how), name, other)
    remembers(machines, roles.node)

    def written() -> bool:
        return site.writer(lab, roles.node.script(KNOWN_NOTE, title="reads its oldest note").stdout.strip()) == name

    until(f"the site writes to {name}", written, VERIFIED_S, where="site", hint=hint)
    own = latest[name]
    assert own is not None
    next_ = f"next: {promotion.rejoins(other, gone=gone)}"
    follows = f"{other} replicates from it" if followed and how.method == "planned" and how.attach else next_
    return _report(name, how, done, f"commits are {own.durability}{_lowered(name, own.durability)}; {follows}")


def _is_followed(follows: Callable[[], bool], name: str, other: str) -> bool:
    """Whether the other server replicates soon; the promotion succeeds without that too."""
    try:
        return until(f"{other} replicates from {name}", follows, FOLLOWED_S, where=other)
    except TimedOut:
        progress.say(other, f"does not replicate from {name} yet")
        return False


def _follows(latest: Mapping[str, Database | None], other: str, how: Promotion) -> bool:
    it = latest.get(other)
    return how.method != "planned" or not how.attach or bool(it and it.replicating)


def _report(name: str, how: Promotion, done: str, commits: str) -> list[str]:
    lines = [f"{name} is the primary, and the site writes there: {how.why}", done, commits]
    return [*lines, *([f"may be lost: {how.lost}"] if how.lost else [])]


def _lowered(name: str, durability: InForce) -> str:
    return advice.DEGRADED if last_seen.degraded() == name and durability != Durability.DURABLE else ""
