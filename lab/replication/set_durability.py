"""How safe commits on the primary are, and what both servers are then, remembered for a later promotion."""

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
# It changes nothing, and stands in the binary log nevertheless.
FIRST = "CREATE DATABASE IF NOT EXISTS site;"


def set_durability(machines: Sequence[Machine], durability: Durability) -> list[str]:
    """Make commits as safe as `durability` says, on whoever is primary now; the replica may be gone.

    Raises CheckFailed where there is not exactly one primary.
    """
    asked = databases_of(machines).values()
    primaries = [it for it in asked if it and it.writable]
    if len(primaries) != 1:
        reason = f"{len(primaries)} databases are open for writes, 1 is needed"
        raise CheckFailed(f"{reason}; the choice is kept for the next converge", hint="invoke lab.status")
    primary = next(machine for machine in machines if machine.node.name == primaries[0].node)
    _released(primaries[0], durability)
    changed = commits(machines, primary, primaries[0].durability, durability)
    followed = any(it and it.replicating for it in asked)
    waits = durability == Durability.DURABLE and not followed
    return changed + (["no replica follows: writes wait until one does"] if waits else [])


def _released(primary: Database, wanted: Durability) -> None:
    """Say it before it is done: what waits for a replica returns without one."""
    if primary.waiting and primary.durability != wanted:
        waits = f"{primary.waiting} commits wait for a replica and return now without one"
        progress.say(primary.node, f"{waits}; the site tells their visitors that the note may be lost (504)")


def commits(machines: Sequence[Machine], primary: Machine, found: InForce, wanted: Durability) -> list[str]:
    """Make commits on the primary as safe as wanted, and remember both servers; its replica should be there."""
    if found != wanted:
        last_seen.outdate()  # before: who is interrupted here must not leave the old durability on record
        sql(primary, durability_sql(wanted), f"commits are {wanted}", first=shutdown.SETS)
        last_seen.remember(time.time(), databases_of(machines).values())
    last_seen.restored()
    return [f"commits on {primary.node.name} are {wanted}"] if found != wanted else []


def remembers(machines: Sequence[Machine], primary: Machine) -> None:
    """Remember both servers; a replica that follows and received nothing yet gets a transaction first.

    By its process, and by what that had received, a later promotion finds out whether something was thrown away. It
    is no error where the replica is not seen: it may have been lost just now, and then the promotion has its doubts.
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
            until("its replica is seen to receive", known, RECEIVES_S, where=primary.node.name)
    except LabError as error:
        progress.say(primary.node.name, f"was not seen with its replica (invoke db.status): {error.what}")
    last_seen.settled()
