"""The transactions since a backup as a person reads them: the site's usual inserts together, all else by itself."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from lab.mysql import gtid
from lab.mysql.binary_log import Transaction
from lab.mysql.recovery import moment, shown

INSERTS, OTHER = "inserts", "other"
KINDS = {"INSERT INTO": "inserts {} into {}", "UPDATE": "updates {} of {}", "DELETE FROM": "deletes {} of {}"}


def lines(found: Sequence[Transaction]) -> list[str]:
    """A line for each transaction that may be a mistake, and one for each series of others; times are UTC."""
    return [_line(kind, list(series)) for kind, series in groupby(found, key=_kind)]


def _kind(it: Transaction) -> str:
    """What a transaction is shown with: one that may be a mistake is by itself."""
    if it.changes_structure:
        return it.gtid
    kinds = {kind for kind, _ in it.of_site}
    if kinds == {"INSERT INTO"}:
        return INSERTS
    return it.gtid if kinds else OTHER


def _line(kind: str, series: Sequence[Transaction]) -> str:
    first, last = series[0], series[-1]
    if kind not in (INSERTS, OTHER):
        return f"{moment(first.at)}  {first.gtid}  {_does(series)}"
    until = f" to {moment(last.at)}" if len(series) > 1 else ""
    does = _does(series) if kind == INSERTS else "other than the site's data"
    return f"{moment(first.at)}{until}  {gtid.counted(len(series))}: {does}"


def _does(series: Sequence[Transaction]) -> str:
    if series[0].changes_structure:
        return shown(series[0].statement)
    return ", ".join(_rows(series))


def _rows(series: Sequence[Transaction]) -> Iterator[str]:
    rows = sum((Counter(it.of_site) for it in series), Counter[tuple[str, str]]())
    for (kind, table), count in rows.items():
        yield KINDS[kind].format(f"{count} row{'s' * (count != 1)}", table)
