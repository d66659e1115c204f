"""Point-in-time recovery: a backup, and from the binary log all that came after it but a mistake."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab import progress
from lab.errors import BadInput, CheckFailed, CommandFailed, LabError
from lab.mysql import change_list, gtid, recovery
from lab.mysql.binary_log import Transaction
from lab.mysql.recovery import Mistake, Position
from lab.mysql.server_state import Database
from lab.nodes.facts import databases_of
from lab.nodes.ssh import Machine
from lab.operations import backup, data_swap
from lab.replication import binary_logs
from lab.replication.write_pause import no_writes
from lab.topology import Lab

# The notes that there will be; of those: which are not there now, which have another text; and which will go.
COUNTS = """SELECT COUNT(*), COALESCE(SUM(was.token IS NULL), 0),
COALESCE(SUM(CAST(was.body AS BINARY) <> CAST(notes.body AS BINARY)), 0),
(SELECT COUNT(*) FROM site.notes AS gone LEFT JOIN {aside}.notes AS stays USING (token) WHERE stays.token IS NULL)
FROM {aside}.notes AS notes LEFT JOIN site.notes AS was USING (token);"""
KEPT = "the site has the data that it had"


def changes(lab: Lab, path: Path) -> list[str]:
    """The transactions since a backup, in words, as the primary's binary logs have them.

    Raises BadInput if the file is not a backup with a position, CheckFailed if the binary logs can't continue it.
    """
    _, base = _read(path)
    known = backup.asked(lab)
    machine, its = backup.primary(known)
    found = _since(machine, its, [it for _, it in known], base, path)
    title = f"{gtid.counted(len(found))} on {its.node} since the backup, times in UTC"
    return [title, *(f"  {line}" for line in change_list.lines(found))]


def recover(lab: Lab, path: Path, name: str, *, stops: bool) -> list[str]:
    """Give the site the data of a backup and of all transactions after it but the mistake; return in words what it did.

    `name`: the GTID of the mistake; `stops`: nothing after the mistake is repeated either.

    Backup and transactions are read into a database of its own while the site goes on. Then the site can't write for a
    moment: the last transactions follow, the data that there is goes to a file in backups/, and the new takes its place
    in one statement. The replica gets all of it by replication. Raises BadInput, or CheckFailed, with nothing changed;
    as restore() does where the last statement is not known to be done.
    """
    text, base = _read(path)
    mistake = recovery.mistake(name, stops=stops, see=_see(path))
    known = backup.asked(lab)
    machine, its = backup.writable(known)
    _must_have_site(its)
    wanted = recovery.repeated(_since(machine, its, [it for _, it in known], base, path), mistake, _see(path))
    aside, again = data_swap.new_name(), "the same command again"
    with _unchanged(machine):
        data_swap.sql(machine, data_swap.renamed(text, aside), "reads the backup in")
        _apply(machine, wanted, aside, mistake)
    with no_writes(machine):
        with _unchanged(machine):
            if not mistake.stops:
                _apply(machine, _late(machine, its, path), aside, mistake)
            saved = backup.dump(machine, "-before-recovery")
            notes = _counted(machine, aside)
            moves = data_swap.moves(machine, aside)
        data_swap.put(machine, moves, aside, again)
    data_swap.remove(machine, aside)
    backup.wait_for_replica(lab, machine)
    return [notes, f"the data as it was before the recovery: {saved}"]


def _read(path: Path) -> tuple[str, Position]:
    text = backup.read(path)
    base = recovery.position(text)
    if base is None:
        what = f"{path} does not say after which transaction it was made: an older version made it, or a commit hung"
        raise BadInput(what, hint=f"take its data without what came later: {_alone(path)}")
    return text, base


def _see(path: Path) -> str:
    return f"invoke db.changes {path}"


def _alone(path: Path) -> str:
    return f"invoke db.restore {path}"


def _must_have_site(its: Database) -> None:
    if not its.has_site:
        hint = "make its empty tables: invoke lab.provision; then the same command again"
        raise CheckFailed(f"{its.node} has no database of the site, so nothing can take its place", hint=hint)


def _since(machine: Machine, its: Database, known: Sequence[Database], base: Position, path: Path) -> list[Transaction]:
    """All transactions of the primary after the position, in order; raises CheckFailed if the logs lack one."""
    recovery.must_continue(base, its, known, _alone(path))
    since = gtid.text(gtid.minus(its.gtid_executed, base.gtids))
    read = binary_logs.transactions(machine, gtid.union(since, recovery.last_of(base)))
    recovery.must_be_same_history(base, read, _alone(path))
    found = [it for it in read if gtid.subset(it.gtid, since)]
    missing = gtid.minus(since, gtid.joined(it.gtid for it in found))
    if missing:
        raise CheckFailed(f"the binary logs of {its.node} do not hold {gtid.text(missing)}", hint=_alone(path))
    return found


def _late(machine: Machine, asked: Database, path: Path) -> str:
    """What the site wrote since the primary was asked, now that it can write no more."""
    now = databases_of([machine])[machine.node.name]
    if now is None:
        raise CheckFailed(f"MySQL on {machine.node.name} does not answer", hint="invoke lab.status")
    return recovery.rows_of(_since(machine, now, [now], Position(asked.gtid_executed, math.inf), path))


def _apply(machine: Machine, gtids: str, aside: str, mistake: Mistake) -> None:
    """Repeat transactions; one that builds on the mistake does not fit without it."""
    count = gtid.counted(gtid.count(gtid.parse(gtids)))
    progress.say(machine.node.name, f"{count} of the site to repeat")
    try:
        binary_logs.apply(machine, gtids, aside)
    except CommandFailed as error:
        if mistake.stops:
            raise
        what = "a transaction after the mistake builds on it, and does not fit without it"
        hint = f"give up what was written from the mistake on: {mistake.gtid} --stop-before"
        raise CheckFailed(what, evidence=error.evidence, hint=hint) from error


@contextmanager
def _unchanged(machine: Machine) -> Iterator[None]:
    """Say of an error that the site still has its data."""
    try:
        yield
    except LabError as error:
        what = f"{machine.node.name}: nothing was recovered, {KEPT}: {error.what}"
        raise CheckFailed(what, evidence=error.evidence, hint=error.hint or "see why: invoke lab.status") from error


def _counted(machine: Machine, aside: str) -> str:
    """How the notes will differ from those that there are, in words."""
    try:
        answer = data_swap.sql(machine, COUNTS.format(aside=aside), "counts the notes")
    except CommandFailed:  # the mistake was made to the table itself
        return "the notes are those of the backup and of what came after it; the table that was there can't be compared"
    total, back, changed, gone = answer.split()
    parts = {f"{back} came back": back, f"{changed} have their text again": changed, f"{gone} are gone": gone}
    return ", ".join([f"{total} notes", *(text for text, count in parts.items() if count != "0")])
