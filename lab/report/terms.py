"""Words of the tables that a reader may not know, explained below the table that has them."""

from collections.abc import Sequence

from lab.report.check_rows import Row

MEANINGS = {
    "retries": ("retry", "HAProxy sent a request again to the same server"),
    "redispatch": ("redispatch", "HAProxy sent a request again to another server"),
    "arrival-rate": (
        "requests sent, of those that were due",
        "a little above 100 % where the measured time happened to catch one or two more than rate times seconds",
    ),
    "unexpected-writes": (
        "unexpected write",
        "a note that no visitor sent, that was refused, that only one database has, or whose text is another one",
    ),
    "unknown-writes": ("unknown write", "the visitor was neither told that it was written nor that it was not"),
    "duplicated-writes": ("written twice", "one note that its visitor sent once and that a database has two times"),
    "stale-reads": ("missed an acknowledged write", "the replica that answered did not have the note yet"),
    "semi-sync": ("semi-sync", "MySQL's COMMIT waits until a replica has the transaction"),
    "gtid-equal": ("same transactions", "by the numbers (GTIDs) that MySQL gives them"),
}


def terms(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Each word that stands in one of the rows, with its meaning."""
    text = " ".join(f"{it.name} {it.words} {it.detail}" for it in rows)
    return [meaning for word, meaning in MEANINGS.items() if word in text]
