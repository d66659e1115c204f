"""An operator who runs the command that status names next, until nothing is wrong: on the simulated pair."""

import hashlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.errors import LabError
from lab.faults import ledger
from lab.mysql import gtid, server_state, shutdown
from lab.nodes.facts import NodeFacts
from lab.nodes.ssh import Machine
from lab.operations import status
from lab.release import Release
from lab.replication import assign_roles, promote_replica, rejoin
from lab.state import choices
from tests.support.pairs import LAB
from tests.support.simulated.deeds import passes
from tests.support.simulated.events import create
from tests.support.simulated.pair import Pair

COMMAND = re.compile(r'invoke ([a-z]+\.[a-z]+)((?: web\d| --[a-z-]+| "[^"]*")*)')
STEPS, SLOW_S = 6, 30.0
SYSTEM = "ID=ubuntu\nVERSION_ID=24.04"
SAFETY = ("none", "async", "available", "durable")


@dataclass
class Story:
    """The lines of status and the commands run, in order; `trouble`: why the walk did not end well, '' if it did."""

    lines: list[str] = field(default_factory=list)
    trouble: str = ""
    commands: list[str] = field(default_factory=list)

    def refused(self, why: str) -> str:
        """Keep the first refusal."""
        self.lines.append(f"  REFUSED: {why}")
        self.trouble = self.trouble or why
        return why

    def ends(self, how: str) -> None:
        """How the walk ended."""
        if self.trouble or how != "healthy":
            self.trouble = "; in the end: ".join(filter(None, [self.trouble, how]))

    def __str__(self) -> str:
        return "\n".join([*self.lines, f"TROUBLE: {self.trouble}"])


def walk(pair: Pair) -> Story:
    """Follow `next` until nothing is wrong, or it does not end; a refusal is trouble, whatever comes after it."""
    story, before = Story(), ""
    for _ in range(STEPS + 1):
        errors, next_ = look(pair)
        story.lines += [f"  status: {it}" for it in errors]
        if not next_:
            story.ends(unhealthy(pair) or "healthy")
            return story
        story.lines.append(f"  {next_}")
        refusal = _steps(pair, next_, story)
        if refusal and next_ == before:
            story.ends("goes round")
            return story
        before = next_ if refusal else ""
        if story.commands and story.commands[-1] == "lab.reset":
            story.ends("healthy")
            return story
    story.ends(f"not healthy after {STEPS} steps")
    return story


def look(pair: Pair) -> tuple[list[str], str]:
    """What lab.status finds wrong, and the line with the next command, '' if nothing is wrong."""
    asked_at, asked = time.time(), pair.asked()
    facts = {name: NodeFacts(_services(pair, name), None, it) for name, it in asked.items()}
    errors = [f"{name}: the machine is {it}" for name, it in pair.power.items() if it != "running"]
    status._database(LAB, facts, dict(pair.power), asked_at, errors)
    nodes: list[dict[str, Any]] = [
        {"name": it, "state": pair.power[it], "services": {} if pair.power[it] == "running" else None} for it in asked
    ]
    faults = ledger.entries()
    if not errors and not faults:
        return [], ""
    report: dict[str, Any] = {"running": "", "faults": faults, "errors": errors, "nodes": nodes}
    return errors, status._next(report)[0]


def _services(pair: Pair, name: str) -> dict[str, str]:
    """What systemd says of MySQL; of one that was killed too, which is harder for the advice than what it would say."""
    stopped = pair.power[name] == "running" and not pair.server(name).runs
    return {"mysql": "inactive"} if stopped else {}


def unhealthy(pair: Pair) -> str:
    """What is wrong though status finds nothing wrong; '' for a healthy pair."""
    passes(pair, 600)
    passes(pair, 600)
    open_ = pair.writable()
    if len(open_) != 1:
        return f"open: {open_}"
    primary = pair.server(open_[0])
    other = next(it for it in pair.servers if it is not primary)
    if not other.replicating or other.replica.source_server() is not primary:
        return f"{other.node.name} does not replicate"
    if gtid.minus(primary.executed, other.executed):
        return f"{other.node.name} does not apply what it should"
    chosen = choices.load().durability
    if SAFETY.index(primary.durability) < SAFETY.index(chosen):
        return f"commits are {primary.durability}, not {chosen}"
    return f"lost: {pair.lost(open_[0])}" if pair.lost(open_[0]) and not pair.may_lose else ""


def _steps(pair: Pair, line: str, story: Story) -> str:
    """Run the commands of the line, of alternatives the first; return why one failed, or ''."""
    found = COMMAND.findall(line.partition(", or ")[0])
    for name, words in found:
        story.commands.append(f"{name}{words}")
        pair.may_lose |= "--accept-data-loss" in words
        began = time.monotonic()
        try:
            RUN[name](pair, words.split())
        except LabError as error:
            passes(pair)
            return story.refused(f"{name}{words} is refused: {error}")
        spent = time.monotonic() - began
        if spent > SLOW_S:
            story.refused(f"{name}{words} took {spent:.0f} s")
        if pair.two_writable:
            story.refused(f"{name}{words} opened two: {pair.two_writable}")
        passes(pair)
    return "" if found else story.refused(f"no command in {line!r}")


def _promote(pair: Pair, words: Sequence[str]) -> None:
    accepts, salvages = "--accept-data-loss" in words, "--salvage" in words
    promote_replica.promote(LAB, words[0], accept_data_loss=accepts, salvage=salvages)


def _rejoin(pair: Pair, words: Sequence[str]) -> None:
    rejoin.rejoin(LAB, words[0], discard="--discard" in words)


def heal(pair: Pair, _: Sequence[str] = ()) -> None:
    """Undo every fault of the ledger."""
    pair.cut = False
    pair.unreached.clear()
    for it in ledger.active(LAB):
        server = pair.server(it.node)
        if it.kind in ("freeze", "power-off") and pair.power[it.node] in ("paused", "off"):
            pair.power_on(server.node)
        server.silent = False
        if it.kind == "replication-stop" and server.replica.source:
            server.replica.start(frozenset({"IO", "SQL"}))
        if it.kind == "replication-lag":
            server.replica.delay = 0
    ledger.clear()


def up(pair: Pair, _: Sequence[str]) -> None:
    """Heal faults and start every machine; a converge comes after that."""
    heal(pair)
    for it in pair.servers:
        if pair.power[it.node.name] == "absent":
            create(pair, it)
        elif pair.power[it.node.name] != "running":
            pair.power_on(it.node)
    passes(pair)
    provision(pair)


def provision(pair: Pair, _: Sequence[str] = ()) -> None:
    """Start MySQL on each running machine; then do the part of a converge that involves both servers."""
    machines = [machine for machine in pair.machines if pair.power[machine.node.name] == "running"]
    for machine in machines:
        machine.script("systemctl start mysql", title="starts MySQL")
    passes(pair)
    if len(machines) == len(pair.machines):
        chosen, asked_at = choices.load().durability, time.time()
        answers = {machine.node.name: _answers(pair, machine) for machine in machines}
        passwords = {"replication": "secret", "clone": "secret"}
        releases = {machine.node.name: Release.of(SYSTEM) for machine in machines}
        assign_roles.converge(assign_roles.Pair(LAB, machines, releases, passwords, chosen, answers, asked_at))


def _answers(pair: Pair, machine: Machine) -> dict[str, str]:
    """The answers to the probe of a converge; a server that is denied access has another password than the lab."""
    replica = pair.server(machine.node.name).replica
    word = "another" if replica.denied else "secret"
    record = machine.script(f"{shutdown.ASK}\nexit 0", title="asks for the record").stdout
    database = machine.script(f"{server_state.QUESTION}\nexit 0", title="asks the database").stdout
    source = f"@source {hashlib.sha256(word.encode()).hexdigest()}"
    return {"database": database, "record": record, "accounts": source}


def _restart(pair: Pair, words: Sequence[str]) -> None:
    """In the end systemd kills a server that hangs."""
    server = pair.server(words[0])
    if pair.power[words[0]] != "running":
        raise LabError(f"{words[0]} is {pair.power[words[0]]}")
    (server.kill if server.silent else server.stop)()
    server.start()


RUN: Mapping[str, Callable[[Pair, Sequence[str]], None]] = {
    "db.promote": _promote,
    "db.rejoin": _rejoin,
    "fault.heal": heal,
    "lab.up": up,
    "lab.provision": provision,
    "lab.exec": _restart,
    "lab.reset": lambda *_: None,
}
