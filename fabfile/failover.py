"""invoke db.promote: another server becomes primary, whether the old one is there or gone; never two at a time."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fabfile import salvage as salvaging
from fabfile import switch
from fabfile.clients import END_ALL, client
from fabfile.fencing import fence
from fabfile.opening import LEAVE
from fabfile.statements import sql
from fabfile.survivor import apply_received, open_it
from fabfile.switch import NotClosed, Roles
from lab import advice, choices, databases, ending, hypervisor, lock, progress, promotion, protections, remembered, site
from lab.databases import Database
from lab.doubts import Situation
from lab.errors import CheckFailed, LabError, Unreachable
from lab.facts import MARK, databases_of, ended_because
from lab.machine import Machine, Shell, together
from lab.promotion import Promotion
from lab.topology import Lab, Node
from lab.wait import until

VERIFIED_S = 60.0
CUT_OFF = "=cut-off="
CANDIDATE_S = 20  # a busy server may take long to let a client in, and without it nobody is promoted
# What an earlier command left there ends first. The kernel tells whether MySQL runs, without a program being started.
ASK = f"""{END_ALL}
{databases.QUESTION}
echo {MARK}
read -r pid 2>/dev/null < /sys/fs/cgroup/system.slice/mysql.service/cgroup.procs && echo runs || echo dead
echo {MARK}
{ending.ASK}
echo {MARK}"""
KNOWN_NOTE = """mysql -N --raw --default-character-set=utf8mb4 -e "SELECT JSON_OBJECT('token', token, 'body', body)
FROM site.notes ORDER BY created_at LIMIT 1" """
LEFT_OUT = {
    "fencing": "{other} is left as it is: where it runs, it may take writes beside {node}",
    "relay-log": "{node} throws away what it received and did not apply yet",
}


@dataclass(frozen=True)
class Look:
    """What a server said; `dead`: for certain MySQL does not run there, and when it starts it is read-only."""

    database: Database | None = None
    dead: bool = False
    record: str = ""  # of its MySQL's starts and ends
    reaches: bool = True  # the other server's node, over the lab's network
    shell: Shell | None = None  # of the candidate: it is connected while the other one is waited for


def promote(
    lab: Lab, name: str, *, accept_data_loss: bool = False, stay_durable: bool = False, salvage: bool = False
) -> list[str]:
    """Make a server the primary; returns in words what was done and why.

    `salvage` starts the old primary read-only and fetches what only it has, first. Raises Unreachable where the server
    does not answer, CheckFailed where it must not be promoted: then nothing was changed, or the error says what was.
    """
    roles = Roles.of(lab, name)
    if salvage:
        salvaging.salvage(lab, roles)
    situation, dead, shell = _situation(lab, roles)
    how = promotion.decide(situation, accept_data_loss=accept_data_loss)
    if how.way == "nothing":
        return _nothing(roles, situation, how)
    remembered.opening(name)
    alone = roles if stay_durable else replace(roles, durability=_without_replica(roles.durability))
    if how.way == "planned" and situation.rival:
        try:
            to = roles if how.attach else _keep_lowered(alone, roles)
            outage_s = switch.planned(to, situation.own, situation.rival, attach=how.attach)
            return _verified(lab, roles, how, f"nobody took writes for {outage_s:.1f} s")
        except NotClosed as error:
            progress.say(roles.other.node.name, f"{error.what}; so it is treated as gone")
            situation, dead, shell = _situation(lab, roles)
            how = promotion.emergency(situation, accept_data_loss=accept_data_loss)
    done = _alone(lab, _keep_lowered(alone, roles), situation, how, dead, shell)
    return _verified(lab, roles, how, done)


def _without_replica(durability: str) -> str:
    """In durable mode every write would wait for a replica that is not there."""
    return "available" if durability == "durable" else durability


def _keep_lowered(alone: Roles, chosen: Roles) -> Roles:
    """Before it is done: whoever finds the server later must know that its durability was not the choice."""
    if alone.durability != chosen.durability:
        remembered.degrade(chosen.node.node.name)
    return alone


def _situation(lab: Lab, roles: Roles) -> tuple[Situation, bool, Shell | None]:
    """Ask both servers, and the balancer what it reaches, at once; whether the other MySQL is dead for certain.

    The candidate's client waits by then: to connect one takes seconds, and so does waiting for a node that is gone.
    """
    node, other = roles.node.node, roles.other.node
    states = hypervisor.states(lab)
    if states[node.name] != "running":
        raise Unreachable(f"{node.name} can't be promoted: it is {states[node.name]}", hint="invoke lab.up")
    balancer = Machine(lab.having("balancer")[0])
    there = states[other.name] == "running"
    works: dict[str, Callable[[], Any]] = {node.name: lambda: _connected(roles.node, _reach(other) if there else ":")}
    if there:
        works |= {other.name: lambda: _look(roles.other), balancer.node.name: lambda: _reaches(balancer, other)}
    doors = [door for door in (roles.node, roles.other, balancer) if door.node.name in works]
    asked_at = time.time()
    said = dict(zip((it.node.name for it in doors), together(lambda it: works[it.node.name](), doors), strict=True))
    own, rival = said[node.name], said.get(other.name, Look(dead=states[other.name] in hypervisor.OFF))
    open_ = rival.database is not None and rival.database.writable
    ended = "" if open_ else ended_because(other, rival.record)
    if own.database is None:
        hint = "see what the machine is doing: invoke lab.status"
        raise Unreachable(f"{node.name} can't be promoted: its MySQL does not answer", hint=hint)
    remembered.remember(asked_at, [own.database, rival.database])
    reached = own.reaches or said.get(balancer.node.name, True)
    known = reached, remembered.recall(), time.time(), ended
    situation = Situation(node, other, own.database, rival.database, *known)
    return situation, rival.dead, own.shell


def _look(door: Machine, besides: str = ":", connect_s: int = databases.CONNECT_S) -> Look:
    """What the server says; `besides` runs meanwhile, and its output comes last."""
    ask = ASK.replace(f"timeout={databases.CONNECT_S}", f"timeout={connect_s}")
    script = f"exec 3< <({besides})\n{ask}\ncat <&3\nexit 0"
    try:
        text = door.script(script, timeout=30 + connect_s, title="asks the database").stdout
    except LabError:
        return Look()
    answer, runs, record, rest = [*text.split(f"{MARK}\n"), "", "", ""][:4]
    return Look(databases.read(door.node.name, answer), "dead" in runs, record, CUT_OFF not in rest)


def _connected(door: Machine, besides: str) -> Look:
    look = _look(door, besides, CANDIDATE_S)
    return replace(look, shell=client(door)) if look.database and not look.database.writable else look


def _reach(node: Node) -> str:
    """Bash that says when no connection to a node is taken: Linux knocks at 0, 1 and 3 seconds."""
    return f"timeout 2 bash -c '</dev/tcp/{node.ip}/22' 2>/dev/null || echo {CUT_OFF}"


def _reaches(balancer: Machine, node: Node) -> bool:
    """Whether the balancer reaches a node over the lab's network; yes where it can't be asked."""
    try:
        return CUT_OFF not in balancer.script(_reach(node), title=f"looks whether it reaches {node.name}").stdout
    except LabError:
        return True


def _nothing(roles: Roles, it: Situation, how: Promotion) -> list[str]:
    if it.own.source:
        sql(roles.node, LEAVE, "gives up the change of roles that was interrupted")
    if it.rival and it.rival.source == str(it.node.ip) and it.rival.replicating:
        return [f"{how.why}; nothing was changed"]
    return [how.why, f"{it.other.name} does not replicate from it; next: {promotion.rejoins(it.other.name)}"]


def _alone(lab: Lab, roles: Roles, it: Situation, how: Promotion, dead: bool, shell: Shell | None) -> str:
    """Fence the old primary while the survivor applies all that it received; then open that; what was done, in words.

    Only a command that an experiment runs leaves out what the experiment took away, and says so.
    """
    node, other = roles.node.node.name, roles.other.node.name
    without = protections.taken(choices.load()) if lock.is_a_part() else []
    told = [f"without {it}: {LEFT_OUT[it].format(node=node, other=other)}" for it in without if it in LEFT_OUT]
    for line in told:
        progress.say(node, line)
    shell = shell or client(roles.node)
    works: Mapping[str, Callable[[], Any]] = {
        node: lambda: apply_received(roles, shell) if it.own.source and "relay-log" not in without else None,
        other: lambda: "" if "fencing" in without else fence(lab, roles.other, dead),
    }
    _, fenced = together(lambda door: works[door.node.name](), [roles.node, roles.other])
    if fenced and not how.lost:
        _nothing_released_meanwhile(it)
    torn = open_it(roles, shell, None if "relay-log" in without else it.own.has)
    if torn:
        told.append(f"{node} had transaction {torn} only in part and dropped it: nobody was told that it is kept")
    return "; ".join([*([f"{fenced}: it can't take writes beside {node}"] if fenced else []), *told])


def _nothing_released_meanwhile(it: Situation) -> None:
    """Between the question and the end of its power the old primary may have been told to stop: its console tells.

    One that was closed by then had no commits that could return.
    """
    closed = it.rival is not None and not it.rival.writable
    if closed or not hypervisor.off_because(it.other):
        return
    try:
        promotion.emergency(replace(it, rival=None, ended=ended_because(it.other, "")))
    except CheckFailed as error:
        error.what += f"; {it.other.name} was powered off"
        raise


def _verified(lab: Lab, roles: Roles, how: Promotion, done: str) -> list[str]:
    """See that one server takes writes and that the site writes there; the three lines that tell it."""
    name, other = roles.node.node.name, roles.other.node.name
    doors = [roles.node, roles.other] if how.way == "planned" else [roles.node]
    latest: dict[str, Database | None] = {}
    asked_at = time.time()

    def alone() -> bool:
        latest.update(databases_of(doors))
        return [it.node for it in latest.values() if it and it.writable] == [name] and _follows(latest, other, how)

    def silent() -> str:
        return "\n".join(f"{it.node}: {it.role} {it.error}" for it in latest.values() if it)

    hint = f"invoke db.status; if {other} does not follow: invoke db.rejoin {other}"
    until(f"{name} is the only primary", alone, VERIFIED_S, where=name, evidence=silent, hint=hint)
    remembered.remember(asked_at, latest.values())
    remembered.settled()

    def written() -> bool:
        return site.writer(lab, roles.node.script(KNOWN_NOTE, title="reads its oldest note").stdout.strip()) == name

    until(f"the site writes to {name}", written, VERIFIED_S, where="site", hint=hint)
    own = latest[name]
    assert own is not None
    return _told(name, other, how, done, own.durability)


def _follows(latest: Mapping[str, Database | None], other: str, how: Promotion) -> bool:
    it = latest.get(other)
    return how.way != "planned" or not how.attach or bool(it and it.replicating)


def _told(name: str, other: str, how: Promotion, done: str, durability: str) -> list[str]:
    lowered = advice.DEGRADED if remembered.degraded() == name and durability != "durable" else ""
    attached = how.way == "planned" and how.attach
    follows = f"{other} replicates from it" if attached else f"next: {promotion.rejoins(other)}"
    lines: Sequence[str] = [
        f"{name} is the primary, and the site writes there: {how.why}",
        done,
        f"commits are {durability}{lowered}; {follows}",
    ]
    return [*lines, *([f"may be lost: {how.lost}"] if how.lost else [])]
