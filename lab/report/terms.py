"""Words of the tables that a reader may not know, explained below the table that has them."""

from collections.abc import Sequence

from lab.report.check_meanings import MEANINGS
from lab.report.check_rows import Row

OTHERS = {
    "retries": ("retry", "HAProxy sent a request again to the same server"),
    "redispatch": ("redispatch", "HAProxy sent a request again to another server"),
    "semi-sync": ("semi-sync", "MySQL's COMMIT waits until a replica has the transaction"),
}
OF_CHECKS = {  # what the row of a check is about, for readers of the table; its meaning is that of the check
    "arrival-rate": "requests sent, of those that were due",
    "unexpected-writes": "unexpected write",
    "unknown-writes": "unknown write",
    "duplicated-writes": "written twice",
    "stale-reads": "missed an acknowledged write",
    "gtid-equal": "same transactions",
}


def terms(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Each word that stands in one of the rows, with its meaning."""
    text = " ".join(f"{it.name} {it.words} {it.detail}" for it in rows)
    known = OTHERS | {name: (word, MEANINGS[name].text.rstrip(".")) for name, word in OF_CHECKS.items()}
    return [meaning for word, meaning in known.items() if word in text]
