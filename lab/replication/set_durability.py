"""Set the durability of commits on the primary, and record both servers for a later promotion."""

import time
from collections.abc import Sequence

from lab import progress
from lab.durability import Durability, InForce, durability_sql
from lab.errors import CheckFailed, LabError
from lab.mysql import last_seen, shutdown
from lab.mysql.server_state import Database
from lab.nodes.facts import databases_of
from lab.nodes.ssh import Machine
from lab.replication.mysql_cli import sql
from lab.wait import until

RECEIVES_S = 20.0
# It changes nothing but is written to the binary log.
FIRST = "CREATE DATABASE IF NOT EXISTS site;"


def set_durability(machines: Sequence[Machine], durability: Durability) -> list[str]:
    """Set the durability on the current primary; the replica may be gone.

    Raises CheckFailed unless there is exactly one primary.
    """
    asked = databases_of(machines).values()
    primaries = [it for it in asked if it and it.writable]
    if len(primaries) != 1:
        reason = f"{len(primaries)} databases are open for writes, 1 is needed"
        raise CheckFailed(f"{reason}; the choice is stored for the next converge", hint="invoke lab.status")
    primary = next(machine for machine in machines if machine.node.name == primaries[0].node)
    _released(primaries[0], durability)
    changed = commits(machines, primary, primaries[0].durability, durability)
    followed = any(it and it.replicating for it in asked)
    waits = durability == Durability.DURABLE and not followed
    return changed + (["no replica replicates: writes wait until one does"] if waits else [])


def _released(primary: Database, wanted: Durability) -> None:
    """Announce that commits which wait for a replica will return without one."""
    if primary.waiting and primary.durability != wanted:
        waits = f"{primary.waiting} commits wait for a replica and return now without one"
        progress.say(primary.node, f"{waits}; the site answers them with 504: the note may be lost")


def commits(machines: Sequence[Machine], primary: Machine, found: InForce, wanted: Durability) -> list[str]:
    """Set the wanted durability on the primary, and record both servers; its replica should be running."""
    if found != wanted:
        last_seen.outdate()  # first: a command interrupted here must not leave the old durability on record
        sql(primary, durability_sql(wanted), f"commits are {wanted}", first=shutdown.SETS)
        last_seen.remember(time.time(), databases_of(machines).values())
    last_seen.restored()
    return [f"commits on {primary.node.name} are {wanted}"] if found != wanted else []


def remembers(machines: Sequence[Machine], primary: Machine) -> None:
    """Record both servers; a replica that has received nothing yet gets a transaction first.

    From the replica's process and what it had received, a later promotion finds out whether anything was discarded.
    A replica that is not seen is no error: it may just have been lost, and then the promotion has its doubts.
    """
    latest: dict[str, Database | None] = {}

    def known() -> bool:
        at = time.time()
        latest.update(databases_of(machines))
        last_seen.remember(at, latest.values())
        seen = last_seen.recall()
        followers = [it for it in latest.values() if it and it.replicating]
        return all(latest.values()) and all(seen and it.received and it.start == seen.replica_start for it in followers)

    try:
        if not known():
            if any(it and it.replicating and not it.received for it in latest.values()):
                sql(primary, FIRST, "sends its replica a first transaction", timeout=RECEIVES_S)
            until("its replica receives", known, RECEIVES_S, where=primary.node.name)
    except LabError as error:
        progress.say(primary.node.name, f"its replica was not observed (invoke db.status): {error.what}")
    last_seen.settled()
