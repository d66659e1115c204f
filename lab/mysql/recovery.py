"""Point-in-time recovery: where a backup ends, which transactions are repeated after it, and when that can't work."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lab.errors import BadInput, CheckFailed
from lab.mysql import gtid
from lab.mysql.binary_log import Transaction
from lab.mysql.server_state import Database

# As mysqldump --set-gtid-purged=COMMENTED writes it: add_set_gtid_purged() in MySQL's mysqldump.cc.
_GTIDS = re.compile(r"^/\* SET @@GLOBAL\.GTID_PURGED='\+?([^']*)';\*/$", re.MULTILINE)
_COMPLETED = re.compile(r"^-- Dump completed on (\d+-\d+-\d+)\s+(\d+:\d+:\d+)$", re.MULTILINE)
_GTID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(:[a-z_][a-z0-9_]*)?:[1-9][0-9]*", re.IGNORECASE)
ROUNDED_S = 1.0  # the backup's time is in seconds


@dataclass(frozen=True)
class Position:
    """Where a backup ends: its transactions, and the time by which all of them were committed, Unix seconds."""

    gtids: str
    at: float


@dataclass(frozen=True)
class Mistake:
    """The transaction that is not repeated; `stops`: nothing after it is repeated either."""

    gtid: str
    stops: bool


def position(backup: str) -> Position | None:
    """Where a backup ends, in UTC; None if it does not say so."""
    gtids, completed = _GTIDS.search(backup), _COMPLETED.search(backup)
    if not (gtids and completed):
        return None
    at = datetime.strptime(f"{completed[1]} {completed[2]}", "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return Position("".join(gtids[1].split()), at.timestamp())


def mistake(name: str, *, stops: bool, see: str) -> Mistake:
    """The mistake of that GTID; raises BadInput if it is not one GTID. `see`: the command that lists them."""
    if not _GTID.fullmatch(name.strip()):
        raise BadInput(f"{name!r} is not the GTID of one transaction, such as UUID:57", hint=f"find it: {see}")
    return Mistake(name.strip().lower(), stops)


def last_of(base: Position) -> str:
    """The last transaction of each source in a backup: their times show whether the history is still the same."""
    return gtid.text({source: [(its[-1][1], its[-1][1])] for source, its in gtid.parse(base.gtids).items()})


def must_continue(base: Position, primary: Database, others: Sequence[Database], alone: str) -> None:
    """Raise CheckFailed if the primary's binary logs can't continue a backup.

    `alone`: the command that takes the backup without what came after it.
    """
    foreign = gtid.minus(base.gtids, primary.gtid_executed)
    if foreign:
        raise CheckFailed(
            f"the backup has {gtid.counted(gtid.count(foreign))} that {primary.node} never had: it is of another lab, "
            "or of this one before a snapshot was restored, or a promotion lost them",
            evidence=gtid.text(foreign),
            hint=f"take its data without what came later: {alone}",
        )
    purged = gtid.minus(primary.purged, base.gtids)
    if purged:
        holds = [it.node for it in others if gtid.subset(it.purged, base.gtids)]
        promoted = f"{holds[0]} still has them: invoke db.promote {holds[0]}, then run it again; or " if holds else ""
        raise CheckFailed(
            f"the binary logs of {primary.node} no longer have {gtid.counted(gtid.count(purged))} since the backup",
            evidence=gtid.text(purged),
            hint=f"{promoted}take the backup without what came later: {alone}",
        )


def must_be_same_history(base: Position, found: Sequence[Transaction], alone: str) -> None:
    """Raise CheckFailed if a transaction of the backup was committed after the backup: its GTID was given twice."""
    later = [it for it in found if gtid.subset(it.gtid, base.gtids) and it.at > base.at + ROUNDED_S]
    if later:
        raise CheckFailed(
            "the lab was put back to a snapshot since the backup: its transactions are others now",
            evidence=f"{later[0].gtid} is of {moment(later[0].at)}, the backup of {moment(base.at)}",
            hint=f"take its data without what came later: {alone}",
        )


def repeated(found: Sequence[Transaction], it: Mistake, see: str) -> str:
    """The GTIDs of those that are repeated: what changed rows of the site, without the mistake; '' if there are none.

    Raises BadInput if the mistake is not among them, CheckFailed if one changed the structure of the site's tables.
    """
    names = [transaction.gtid for transaction in found]
    if it.gtid not in names:
        raise BadInput(
            f"{it.gtid} is not one of the {len(names)} transactions since the backup", hint=f"find it: {see}"
        )
    if it.stops:
        return rows_of(found[: names.index(it.gtid)])
    return rows_of([transaction for transaction in found if transaction.gtid != it.gtid])


def rows_of(found: Sequence[Transaction]) -> str:
    """The GTIDs of the transactions that changed rows of the site; raises CheckFailed if one changed its tables."""
    structure = next((it for it in found if it.changes_structure), None)
    if structure:
        raise CheckFailed(
            "a statement about the site's tables is among those to repeat; only changed rows can be repeated",
            evidence=f"{moment(structure.at)}  {structure.gtid}  {shown(structure.statement)}",
            hint=f"begin with a backup that is newer than it, or stop before it: {structure.gtid} --stop-before",
        )
    return gtid.joined(it.gtid for it in found if it.of_site)


def moment(at: float) -> str:
    """A time in UTC, to the millisecond."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]


def shown(statement: str) -> str:
    """A statement in one line of at most 60 characters that a terminal can show."""
    line = "".join(char if char.isprintable() else "?" for char in " ".join(statement.split()))
    return line if len(line) <= 60 else f"{line[:59]}…"
