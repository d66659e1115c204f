"""Role replication: one primary, open for writes when that is certain; the other replicates from it."""

import hashlib
from collections.abc import Mapping, Sequence

from fabfile import accounts
from lab import facts, progress
from lab.errors import CheckFailed
from lab.facts import Database
from lab.machine import Machine, together
from lab.primary import Decision, decide
from lab.release import Release
from lab.topology import ROOT, Lab, Node
from lab.wait import until

SCHEMA = ROOT / "provision" / "sql" / "schema.sql"
SQL_TIMEOUT_S = 60.0
SETTLE_S = 45.0


def converge(
    lab: Lab,
    doors: Sequence[Machine],
    releases: Mapping[str, Release],
    passwords: Mapping[str, str],
    answers: Mapping[str, Mapping[str, str]],
) -> list[str]:
    """Make the databases one primary and its replica; returns what was changed, in words.

    `answers` are the probe's, per node: 'database' and 'accounts'. Raises CheckFailed where nobody
    may be opened, with the reason.
    """
    asked = {name: facts.database(name, it["database"]) for name, it in answers.items()}
    decision = _settled(doors, decide([door.node for door in doors], asked))
    if decision.primary is None:
        raise CheckFailed(f"no database is opened for writes: {decision.reason}", hint="look: invoke lab.status")
    primary = next(door for door in doors if door.node.name == decision.primary)
    changed = _attach(doors, primary.node, decision, releases, passwords)
    changed += _open(primary, decision, asked)
    changed += _accounts(lab, primary, passwords, answers[decision.primary]["accounts"])
    changed += _same_password(doors, asked, passwords, answers)
    if decision.reason:
        raise CheckFailed(decision.reason, hint="look: invoke lab.status")
    if changed:
        _wait_until_replicating(doors, primary.node)
    return changed


def questions(lab: Lab) -> dict[str, str]:
    """What the probe has to ask a database node besides its facts."""
    return {"accounts": accounts.question(accounts.load(lab))}


def _settled(doors: Sequence[Machine], decision: Decision) -> Decision:
    """After a boot the replica's threads need a moment: ask again until they run."""
    if not decision.waits:
        return decision
    latest = [decision]

    def ask() -> bool:
        latest[0] = _decide_anew(doors)
        return not latest[0].waits

    until("the replica replicates", ask, SETTLE_S, every=1.0, hint="see the error: invoke lab.status")
    return latest[0]


def _decide_anew(doors: Sequence[Machine]) -> Decision:
    return decide([door.node for door in doors], _ask(doors))


def _ask(doors: Sequence[Machine]) -> dict[str, Database | None]:
    texts = together(
        lambda door: door.script(f"{facts.DATABASE} 2>&1; exit 0", title="asks the database").stdout, doors
    )
    return {door.node.name: facts.database(door.node.name, text) for door, text in zip(doors, texts, strict=True)}


def _attach(
    doors: Sequence[Machine],
    primary: Node,
    decision: Decision,
    releases: Mapping[str, Release],
    passwords: Mapping[str, str],
) -> list[str]:
    """Before anybody is opened: a server without a source would be a second candidate for writes."""
    attached = [door for door in doors if door.node.name in decision.attach]
    for door in attached:
        reset = releases[door.node.name].dialect.reset_binary_logs
        sql(
            door,
            f"{reset};\n{_source(primary, passwords['replication'])}\nSTART REPLICA;",
            f"replicates from {primary.name}",
        )
    return [f"{door.node.name} replicates from {primary.name}" for door in attached]


def _source(primary: Node, password: str) -> str:
    """Retries for ever: a replica that gave up after SOURCE_RETRY_COUNT would stay behind unseen."""
    return (
        f"CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{primary.ip}', SOURCE_USER = 'replication', "
        f"SOURCE_PASSWORD = '{password}', SOURCE_AUTO_POSITION = 1, SOURCE_CONNECT_RETRY = 2, "
        f"SOURCE_RETRY_COUNT = 0, SOURCE_HEARTBEAT_PERIOD = 1, GET_SOURCE_PUBLIC_KEY = 1;"
    )


def _open(primary: Machine, decision: Decision, asked: Mapping[str, Database | None]) -> list[str]:
    changed = []
    before = asked.get(primary.node.name)
    if decision.opens:
        sql(primary, "SET GLOBAL super_read_only = OFF, GLOBAL read_only = OFF;", "opens for writes")
        changed.append(f"{primary.node.name} is open for writes")
    if before is None or not before.has_site:
        sql(primary, SCHEMA.read_text(encoding="utf-8"), "creates the site's tables")
        changed.append(f"{primary.node.name} has the site's tables")
    return changed


def _accounts(lab: Lab, primary: Machine, passwords: Mapping[str, str], answer: str) -> list[str]:
    wrong = accounts.differing(accounts.load(lab), passwords, answer)
    if wrong:
        text = "\n".join(accounts.repair(it, passwords[it.name]) for it in wrong)
        sql(primary, text, f"makes the accounts {', '.join(it.name for it in wrong)}")
    return [f"account {it.name}" for it in wrong]


def _same_password(
    doors: Sequence[Machine],
    asked: Mapping[str, Database | None],
    passwords: Mapping[str, str],
    answers: Mapping[str, Mapping[str, str]],
) -> list[str]:
    """A replica keeps its own copy of the replication password: give it the new one when it differs."""
    wanted = hashlib.sha256(passwords["replication"].encode()).hexdigest()
    changed = []
    for door in doors:
        it = asked.get(door.node.name)
        if it and it.source and accounts.source_password(answers[door.node.name]["accounts"]) != wanted:
            text = f"CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD = '{passwords['replication']}';"
            sql(door, f"STOP REPLICA IO_THREAD;\n{text}\nSTART REPLICA IO_THREAD;", "gets the new password")
            changed.append(f"replication password on {door.node.name}")
    return changed


def _wait_until_replicating(doors: Sequence[Machine], primary: Node) -> None:
    def ask() -> bool:
        known = [it for it in _ask(doors).values() if it is not None]
        return len(known) == len(doors) and all(it.replicating for it in known if it.node != primary.name)

    progress.say(primary.name, "waits until the replica replicates")
    until("the replica replicates", ask, SETTLE_S, every=1.0, where=primary.name, hint="invoke lab.status")


def sql(door: Machine, text: str, title: str) -> None:
    """Run SQL as root on a node, sent on standard input: no password shows in a process list."""
    door.script(f"mysql --batch <<'END_OF_SQL'\n{text}\nEND_OF_SQL\n", timeout=SQL_TIMEOUT_S, title=title)
    progress.say(door.node.name, title)
