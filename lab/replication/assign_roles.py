"""Role replication: one primary, opened for writes once that is certain; the other server replicates from it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab import progress
from lab.durability import Durability
from lab.errors import CheckFailed
from lab.mysql import gtid, last_seen, server_state, shutdown
from lab.mysql.election import Decision, decide
from lab.mysql.promotion import rejoins
from lab.mysql.server_state import Database
from lab.nodes.facts import databases_of
from lab.nodes.ssh import Machine
from lab.release import Release
from lab.replication import accounts, errant_transactions, schema
from lab.replication.accounts import Account
from lab.replication.attach import APPLY, source
from lab.replication.clone import clone
from lab.replication.mysql_cli import sql
from lab.replication.open_for_writes import open_server, opens
from lab.replication.session import END_ALL
from lab.replication.set_durability import commits, remembers
from lab.topology import Lab
from lab.wait import until

LETS_IN = ("replication", "clone")
SETTLE_S = 60.0
LOOK = "see why: invoke lab.status, invoke lab.logs"


@dataclass(frozen=True)
class Pair:
    """The database nodes: `machines`, the answers of the probe there, and the desired state of them and of the notes.

    `asked_at`: Unix seconds before the probe.
    """

    lab: Lab
    machines: Sequence[Machine]
    releases: Mapping[str, Release]
    passwords: Mapping[str, str] = field(repr=False)
    durability: Durability
    answers: Mapping[str, Mapping[str, str]] = field(repr=False)
    asked_at: float
    unique_key: bool = True

    def asked(self) -> dict[str, Database | None]:
        """The state of each server in the answers of the probe."""
        return {name: server_state.read(name, it["database"]) for name, it in self.answers.items()}

    def machine(self, name: str) -> Machine:
        """The connection to a node."""
        return next(machine for machine in self.machines if machine.node.name == name)

    def decide(self, asked: Mapping[str, Database | None]) -> Decision:
        """Decide from these answers which server may be opened."""
        return decide([machine.node for machine in self.machines], asked)


def converge(pair: Pair) -> list[str]:
    """Make the databases one primary and its replica; return what was changed, in words.

    The primary is opened for the site last, once its replica replicates and the chosen durability is in force; until
    then only root can write. Raises CheckFailed with the reason if no server may be opened.
    """
    asked = pair.asked()
    last_seen.remember(pair.asked_at, asked.values())
    decision = pair.decide(asked)
    if not any(it and it.writable for it in asked.values()):
        # The probe may be minutes old, and an interrupted promotion may be about to open the other server.
        asked = databases_of(pair.machines, first=END_ALL)
        decision = pair.decide(asked)
    if decision.primary is None:
        raise CheckFailed(f"the databases are left as they are: {decision.reason}", hint=decision.hint)
    primary, before = pair.machine(decision.primary), asked[decision.primary]
    assert before is not None
    _refuse_errant(before, [it for it in asked.values() if it and it.source])
    wrong = _wrong_accounts(pair, primary)
    _prepare(pair, primary, before, decision, wrong)
    # Changing a password while the applier is stopped would discard the relay log: the threads start first.
    changed = _attach(pair, primary, asked, decision) + _start(pair, decision) + _same_password(pair, asked)
    changed += schema.make(primary, before)
    if changed or wrong or decision.reason:
        asked = _follow(pair, decision.primary)
        _must_agree(pair, asked, decision)
    changed += _accounts(pair, primary, wrong)
    changed += schema.key(primary, before, wanted=pair.unique_key)
    changed += commits(pair.machines, primary, before.durability, pair.durability)
    _recorded(pair, primary, before)
    opened = _open(primary, before) + _drop_outdated(pair, primary)
    if changed or opened or decision.reason or any(it and it.replicating and not it.received for it in asked.values()):
        remembers(pair.machines, primary)
    return changed + opened


def questions(lab: Lab) -> dict[str, str]:
    """The questions of the probe to a database node besides its facts."""
    record = f"cat {shutdown.RECORD} 2>/dev/null; true"
    return {"accounts": accounts.question(accounts.load(lab)), "record": record}


def _refuse_errant(primary: Database, replicas: Sequence[Database]) -> None:
    """Refuse a replica with transactions of its own: they can't be merged, and its data differs from the primary's."""
    for it in replicas:
        own = server_state.errant(it, primary)
        if own:
            raise CheckFailed(
                f"{it.node} has {own} transactions of its own that {primary.node} lacks",
                evidence=f"{it.node}: {it.gtid_executed}\n{primary.node}: {primary.gtid_executed}",
                hint=f"give it the data of {primary.node}: {rejoins(it.node)}",
            )


def _wrong_accounts(pair: Pair, primary: Machine) -> list[Account]:
    answer = pair.answers[primary.node.name]["accounts"]
    return accounts.differing(accounts.load(pair.lab), pair.passwords, answer)


def _prepare(pair: Pair, primary: Machine, before: Database, decision: Decision, wrong: Sequence[Account]) -> None:
    """Let root write on the future primary, and create the accounts that the replica connects with.

    They bypass the binary log: in durable mode a commit there could wait for the replica that needs these accounts.
    """
    needed = [it for it in wrong if it.name in LETS_IN]
    text = ["SET GLOBAL super_read_only = OFF;"] if not before.writable and (decision.opens or wrong) else []
    if needed:
        text += ["SET sql_log_bin = 0;"] + [accounts.repair(it, pair.passwords[it.name]) for it in needed]
    if text:
        sql(primary, "\n".join(text), "is prepared as primary")


def _follow(pair: Pair, primary: str) -> dict[str, Database | None]:
    """Wait until the other servers replicate; their errors are the evidence if they do not."""
    latest: dict[str, Database | None] = {}

    def ask() -> bool:
        latest.update(databases_of(pair.machines))
        return all(it is not None and (name == primary or it.replicating) for name, it in latest.items())

    def errors() -> str:
        return "\n".join(f"{name}: {it.error if it else 'no answer'}" for name, it in latest.items() if name != primary)

    progress.say(primary, "waits until its replica replicates")
    until("the replica replicates", ask, SETTLE_S, every=1.0, where=primary, evidence=errors, hint=LOOK)
    return latest


def _must_agree(pair: Pair, asked: Mapping[str, Database | None], before: Decision) -> None:
    """Refuse to open a server unless new answers of all servers lead to the same decision."""
    now = pair.decide(asked)
    if now.reason or now.primary != before.primary:
        raise CheckFailed(f"no database is opened for writes: {now.reason}", hint="see the state: invoke lab.status")


def _attach(pair: Pair, primary: Machine, asked: Mapping[str, Database | None], decision: Decision) -> list[str]:
    address, before = str(primary.node.ip), asked[primary.node.name]
    assert before is not None
    for name in decision.attach:
        machine, own = pair.machine(name), asked[name]
        alone = gtid.minus(own.gtid_executed, before.gtid_executed) if own else {}
        if alone:
            errant_transactions.keep(machine, alone, f"{name} becomes the replica of {primary.node.name}")
        if before.has_site:
            clone(machine, primary, pair.passwords["clone"])
        else:
            sql(machine, f"{pair.releases[name].dialect.reset_binary_logs};", "starts without history")
        text = f"{source(address, pair.passwords['replication'])}\nSTART REPLICA;"
        sql(machine, text, f"replicates from {primary.node.name}")
    return [f"{name} replicates from {primary.node.name}" for name in decision.attach]


def _start(pair: Pair, decision: Decision) -> list[str]:
    for name in decision.start:
        sql(pair.machine(name), APPLY, "starts the replica's threads")
    return [f"{name}: replica threads" for name in decision.start]


def _accounts(pair: Pair, primary: Machine, wrong: Sequence[Account]) -> list[str]:
    if wrong:
        text = "\n".join(accounts.repair(it, pair.passwords[it.name]) for it in wrong)
        sql(primary, text, f"makes the accounts {', '.join(it.name for it in wrong)}")
    return [f"account {it.name}" for it in wrong]


def _drop_outdated(pair: Pair, primary: Machine) -> list[str]:
    """Drop the accounts of nodes that do not use them any more, once the primary is open for writes."""
    answer = pair.answers[primary.node.name].get("accounts", "")
    outdated = accounts.outdated(accounts.load(pair.lab), answer)
    if outdated:
        sql(primary, f"DROP USER IF EXISTS {', '.join(outdated)};", "drops accounts that no node uses")
    return [f"account {it} dropped" for it in outdated]


def _recorded(pair: Pair, primary: Machine, before: Database) -> None:
    """Record that the primary is open, which a promotion looks for, if it was opened by hand or without a record."""
    if before.writable and shutdown.OPENED not in pair.answers[primary.node.name].get("record", ""):
        primary.script(shutdown.OPENS, title="records that it is open")


def _open(primary: Machine, before: Database) -> list[str]:
    if before.writable:
        return []
    open_server(primary, opens(shutdown.OPENS), "opens for writes")
    return [f"{primary.node.name} is open for writes"]


def _same_password(pair: Pair, asked: Mapping[str, Database | None]) -> list[str]:
    """Give a replica the new replication password if its own copy differs."""
    password = pair.passwords["replication"]
    wanted = hashlib.sha256(password.encode()).hexdigest()
    changed = []
    for name, it in asked.items():
        if it and it.source and accounts.source_password(pair.answers[name]["accounts"]) != wanted:
            text = f"CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD = '{password}';"
            now = databases_of([pair.machine(name)])[name]
            if not now or not now.applying:  # with both threads stopped MySQL would discard the relay log
                progress.say(
                    name, f"keeps its replication password: its applier is stopped {now.error if now else ''}".rstrip()
                )
                continue
            sql(
                pair.machine(name),
                f"STOP REPLICA IO_THREAD;\n{text}\nSTART REPLICA IO_THREAD;",
                "gets the new password",
            )
            changed.append(f"replication password on {name}")
    return changed
