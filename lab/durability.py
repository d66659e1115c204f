"""The durability of a commit on the primary: its values, MySQL's settings for each, what each means and costs."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from lab.errors import BadInput, did_you_mean

# Milliseconds, 49 days: the largest timeout of semi-sync, used as 'no limit'.
WITHOUT_END_MS = 4294967295
AVAILABLE_MS = 1000


class Durability(StrEnum):
    """The values that a user can choose."""

    ASYNC = "async"
    AVAILABLE = "available"
    DURABLE = "durable"


# MySQL's state after its start, and if semi-sync is switched off by hand: then the site writes no notes.
NONE: Literal["none"] = "none"
InForce = Durability | Literal["none"]
SETTINGS: Mapping[InForce, tuple[str, int]] = {
    NONE: ("OFF", WITHOUT_END_MS),
    Durability.ASYNC: ("OFF", AVAILABLE_MS),
    Durability.AVAILABLE: ("ON", AVAILABLE_MS),
    Durability.DURABLE: ("ON", WITHOUT_END_MS),
}
# The meaning and the cost of each value: https://dev.mysql.com/doc/refman/8.4/en/replication-semisync.html
MEANS: Mapping[Durability, tuple[str, str]] = {
    Durability.ASYNC: (
        "a COMMIT returns at once, and the replica gets it a moment later",
        "no write ever waits; if the primary dies, acknowledged writes that the replica has not received are lost",
    ),
    Durability.AVAILABLE: (
        "a COMMIT returns when the replica has it on its disk, or after a second without it: then semi-sync is OFF",
        "no write waits long; writes acknowledged while semi-sync is OFF may be lost with the primary",
    ),
    Durability.DURABLE: (
        "a COMMIT returns when the replica has it on its disk, however long that takes",
        "no acknowledged write is lost with the primary; without a replica, writes wait and reads still work",
    ),
}


def check_durability(value: str) -> Durability:
    """The durability of this name; raises BadInput if it is unknown."""
    if value not in list(Durability):
        what = f"{value!r} is not a durability; {did_you_mean(value, list(Durability))}"
        raise BadInput(what, hint="invoke --help db.durability")
    return Durability(value)


def in_force(semi_sync: str, timeout_ms: int) -> InForce:
    """The durability that a server's variables amount to."""
    without_end = timeout_ms == WITHOUT_END_MS
    if semi_sync != "ON":
        return NONE if without_end else Durability.ASYNC
    return Durability.DURABLE if without_end else Durability.AVAILABLE


def durability_sql(value: InForce) -> str:
    """SQL that sets the durability on the primary.

    Semi-sync is switched off and on, so that it waits again at once if it had given up; by itself it would resume only
    with the next commit.
    """
    enabled, timeout = SETTINGS[value]
    switch = "SET GLOBAL rpl_semi_sync_source_enabled"
    return f"{switch} = OFF;\nSET GLOBAL rpl_semi_sync_source_timeout = {timeout};\n{switch} = {enabled};"
