"""The notes and transactions of every database at the end of a run, read from each one directly."""

from collections.abc import Sequence
from typing import Any

from lab.errors import LabError
from lab.nodes.facts import databases_of
from lab.nodes.ssh import Machine, together
from lab.wait import until

# The third column counts notes whose body differs from what the load wrote (loadtests/content.py).
NOTES = """mysql -N -e "SELECT token, COUNT(*), SUM(body <> CONCAT('load test, note ', LEFT(token, 8)))
FROM site.notes GROUP BY token\""""
READ_S = 60.0


def tokens(machines: Sequence[Machine]) -> set[str]:
    """The notes that any database has before a run: they are not writes of the run."""
    return {token for held in _held(machines).values() for token in held or ()}


def read(machines: Sequence[Machine], before: set[str]) -> list[dict[str, Any]]:
    """For each readable database: its notes except those in `before`, the number of rows of each, and its GTID set.

    `altered`: the notes whose body is not what the load wrote.
    """
    asked = databases_of(_databases(machines))
    return [
        {
            "node": name,
            "tokens": {token: count for token, (count, _) in held.items() if token not in before},
            "altered": [token for token, (_, other) in held.items() if other and token not in before],
            "gtid_executed": it.gtid_executed,
        }
        for name, held in _held(machines).items()
        if held is not None and (it := asked[name]) is not None
    ]


def unequal(machines: Sequence[Machine]) -> list[str]:
    """Why the databases are not known to have the same transactions, as texts; empty if they have."""
    asked = databases_of(_databases(machines))
    silent = [f"{name} does not answer" for name, it in asked.items() if it is None]
    sets = {it.gtid_executed for it in asked.values() if it}
    return silent if len(sets) < 2 else [*silent, f"the GTID sets differ: {', '.join(asked)}"]


def wait_until_equal(machines: Sequence[Machine], within_s: float) -> None:
    """Wait until all databases have the same transactions; raises TimedOut with the difference."""
    last: list[str] = []

    def equal() -> bool:
        last[:] = unequal(machines)
        return not last

    hint = "invoke db.status"
    until("the databases are equal", equal, within_s, where="lab", evidence=lambda: "\n".join(last), hint=hint)


def _databases(machines: Sequence[Machine]) -> list[Machine]:
    return [machine for machine in machines if "database" in machine.node.roles]


def _held(machines: Sequence[Machine]) -> dict[str, dict[str, tuple[int, int]] | None]:
    """For each database, the rows of each note, and how many have another body; None if it can't be read."""

    def one(machine: Machine) -> dict[str, tuple[int, int]] | None:
        try:
            text = machine.run(NOTES, timeout=READ_S, title="reads all notes").stdout
        except LabError:
            return None
        rows = (line.split("\t") for line in text.splitlines())
        return {token: (int(count), int(other)) for token, count, other in rows}

    servers = _databases(machines)
    return dict(zip((machine.node.name for machine in servers), together(one, servers), strict=True))
