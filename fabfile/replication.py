"""Role replication: one primary, open for writes when that is certain; the other replicates from it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fabfile import accounts
from lab import databases, progress
from lab.databases import Database
from lab.errors import CheckFailed
from lab.machine import Machine, together
from lab.primary import Decision, decide
from lab.release import Release
from lab.topology import ROOT, Lab
from lab.wait import until

SCHEMA = ROOT / "provision" / "sql" / "schema.sql"
SQL_TIMEOUT_S = 60.0
CLONE_TIMEOUT_S = 120.0
SETTLE_S = 60.0


@dataclass(frozen=True)
class Pair:
    """The database nodes: a door to each, what the probe answered there, and what is wanted of them."""

    lab: Lab
    doors: Sequence[Machine]
    releases: Mapping[str, Release]
    passwords: Mapping[str, str] = field(repr=False)
    durability: str
    answers: Mapping[str, Mapping[str, str]] = field(repr=False)

    def asked(self) -> dict[str, Database | None]:
        """Each server as the probe saw it."""
        return {name: databases.read(name, it["database"]) for name, it in self.answers.items()}

    def door(self, name: str) -> Machine:
        """The door to a node."""
        return next(door for door in self.doors if door.node.name == name)

    def decide(self, asked: Mapping[str, Database | None]) -> Decision:
        """Who may be opened, by the answers given."""
        return decide([door.node for door in self.doors], asked)


def converge(pair: Pair) -> list[str]:
    """Make the databases one primary and its replica; returns what was changed, in words.

    Raises CheckFailed where nobody may be opened, with the reason.
    """
    asked = pair.asked()
    decision = _settled(pair, pair.decide(asked))
    if decision.primary is None:
        raise CheckFailed(f"no database is opened for writes: {decision.reason}", hint="look: invoke lab.status")
    primary, before = pair.door(decision.primary), asked.get(decision.primary)
    changed = _attach(pair, decision, before)
    if decision.opens and not changed:
        changed += _commits(primary, before, pair.durability)  # its replica follows: safe from the first write on
    changed += _open(primary, decision, before)
    changed += _accounts(pair, primary) + _same_password(pair, asked)
    if decision.reason:
        raise CheckFailed(decision.reason, hint="look: invoke lab.status")
    if changed:
        before = _wait_until_replicating(pair, decision.primary)
    return changed + _commits(primary, before, pair.durability)


def questions(lab: Lab) -> dict[str, str]:
    """What the probe has to ask a database node besides its facts."""
    return {"accounts": accounts.question(accounts.load(lab))}


def _settled(pair: Pair, decision: Decision) -> Decision:
    """After a boot the replica's threads need a moment: ask again until they run."""
    if not decision.waits:
        return decision
    latest = [decision]

    def ask() -> bool:
        latest[0] = pair.decide(_ask(pair.doors))
        return not latest[0].waits

    until("the replica replicates", ask, SETTLE_S, every=1.0, hint="see the error: invoke lab.status")
    return latest[0]


def _ask(doors: Sequence[Machine]) -> dict[str, Database | None]:
    texts = together(lambda door: door.script(f"{databases.QUESTION}\nexit 0", title="asks the database").stdout, doors)
    return {door.node.name: databases.read(door.node.name, text) for door, text in zip(doors, texts, strict=True)}


def _attach(pair: Pair, decision: Decision, primary: Database | None) -> list[str]:
    """Before anybody is opened: a server without a source would be a second candidate for writes."""
    assert decision.primary is not None
    source = pair.door(decision.primary).node
    for name in decision.attach:
        door = pair.door(name)
        if primary is not None and primary.has_site:
            _clone(door, str(source.ip), pair.passwords["clone"])
        else:
            sql(door, f"{pair.releases[name].dialect.reset_binary_logs};", "starts without history")
        text = f"{_source(str(source.ip), pair.passwords['replication'])}\nSTART REPLICA;"
        sql(door, text, f"replicates from {source.name}")
    return [f"{name} replicates from {source.name}" for name in decision.attach]


def _clone(door: Machine, donor: str, password: str) -> None:
    """Copy the donor's data: it works whatever the donor has purged from its binary logs.

    The server restarts itself at the end, so the client loses it (exit 1): what counts is clone_status.
    """
    text = f"SET GLOBAL clone_valid_donor_list = '{donor}:3306';\n"
    text += f"CLONE INSTANCE FROM 'clone'@'{donor}':3306 IDENTIFIED BY '{password}';"
    progress.say(door.node.name, f"copies the data of {donor}")
    door.script(_client(text), ok=(0, 1), timeout=CLONE_TIMEOUT_S, title="copies the data")
    status = 'mysql -N -e "SELECT STATE, ERROR_MESSAGE FROM performance_schema.clone_status"'

    def done() -> bool:
        return door.run(status, title="asks how the copy went").stdout.startswith("Completed")

    until("the copy is complete", done, SETTLE_S, every=1.0, where=door.node.name, hint="invoke lab.logs")


def _source(address: str, password: str) -> str:
    """Retries for ever, nearly: a replica that gave up after ten tries would stay behind unseen."""
    return (
        f"CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{address}', SOURCE_USER = 'replication', "
        f"SOURCE_PASSWORD = '{password}', SOURCE_AUTO_POSITION = 1, SOURCE_CONNECT_RETRY = 1, "
        f"SOURCE_RETRY_COUNT = 86400, SOURCE_HEARTBEAT_PERIOD = 1, GET_SOURCE_PUBLIC_KEY = 1;"
    )


def _open(primary: Machine, decision: Decision, before: Database | None) -> list[str]:
    changed = []
    if decision.opens:
        sql(primary, "SET GLOBAL super_read_only = OFF;\nSET GLOBAL read_only = OFF;", "opens for writes")
        changed.append(f"{primary.node.name} is open for writes")
    if before is None or not before.has_site:
        sql(primary, SCHEMA.read_text(encoding="utf-8"), "creates the site's tables")
        changed.append(f"{primary.node.name} has the site's tables")
    return changed


def _commits(primary: Machine, before: Database | None, durability: str) -> list[str]:
    if before is not None and before.durability == durability:
        return []
    sql(primary, databases.durability_sql(durability), f"commits are {durability}")
    return [f"commits on {primary.node.name} are {durability}"]


def _accounts(pair: Pair, primary: Machine) -> list[str]:
    wanted, passwords = accounts.load(pair.lab), pair.passwords
    wrong = accounts.differing(wanted, passwords, pair.answers[primary.node.name]["accounts"])
    if wrong:
        text = "\n".join(accounts.repair(it, passwords[it.name]) for it in wrong)
        sql(primary, text, f"makes the accounts {', '.join(it.name for it in wrong)}")
    return [f"account {it.name}" for it in wrong]


def _same_password(pair: Pair, asked: Mapping[str, Database | None]) -> list[str]:
    """A replica keeps its own copy of the replication password: give it the new one when it differs."""
    password = pair.passwords["replication"]
    wanted = hashlib.sha256(password.encode()).hexdigest()
    changed = []
    for name, it in asked.items():
        if it and it.source and accounts.source_password(pair.answers[name]["accounts"]) != wanted:
            text = f"CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD = '{password}';"
            sql(pair.door(name), f"STOP REPLICA IO_THREAD;\n{text}\nSTART REPLICA IO_THREAD;", "gets the new password")
            changed.append(f"replication password on {name}")
    return changed


def _wait_until_replicating(pair: Pair, primary: str) -> Database | None:
    latest: dict[str, Database | None] = {}

    def ask() -> bool:
        latest.update(_ask(pair.doors))
        return all(it is not None and (name == primary or it.replicating) for name, it in latest.items())

    progress.say(primary, "waits until the replica replicates")
    until("the replica replicates", ask, SETTLE_S, every=1.0, where=primary, hint="invoke lab.status")
    return latest[primary]


def sql(door: Machine, text: str, title: str) -> None:
    """Run SQL as root on a node, sent on standard input: no password shows in a process list."""
    door.script(_client(text), timeout=SQL_TIMEOUT_S, title=title)
    progress.say(door.node.name, title)


def _client(text: str) -> str:
    return f"mysql --batch <<'END_OF_SQL'\n{text}\nEND_OF_SQL\n"
