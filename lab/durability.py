"""How safe a commit on the primary is: the values, the settings of MySQL for each, what each means and costs."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from lab.errors import BadInput, did_you_mean

# Seconds without end, in milliseconds: the largest timeout that semi-sync takes, 49 days.
WITHOUT_END_MS = 4294967295
AVAILABLE_MS = 1000


class Durability(StrEnum):
    """What can be chosen."""

    ASYNC = "async"
    AVAILABLE = "available"
    DURABLE = "durable"


# What MySQL starts with, and what is left where semi-sync is switched off by hand: the site leaves no notes there.
NONE: Literal["none"] = "none"
InForce = Durability | Literal["none"]
SETTINGS: Mapping[InForce, tuple[str, int]] = {
    NONE: ("OFF", WITHOUT_END_MS),
    Durability.ASYNC: ("OFF", AVAILABLE_MS),
    Durability.AVAILABLE: ("ON", AVAILABLE_MS),
    Durability.DURABLE: ("ON", WITHOUT_END_MS),
}
# What a choice means, and what it costs: https://dev.mysql.com/doc/refman/8.4/en/replication-semisync.html
MEANS: Mapping[Durability, tuple[str, str]] = {
    Durability.ASYNC: (
        "a COMMIT returns at once, and the replica hears of it a moment later",
        "no write ever waits; what a primary that dies had not sent is lost, though it was acknowledged",
    ),
    Durability.AVAILABLE: (
        "a COMMIT returns when the replica has it on its disk, or after a second without it: then semi-sync is OFF",
        "no write waits long; what is acknowledged while semi-sync is OFF may be lost with the primary",
    ),
    Durability.DURABLE: (
        "a COMMIT returns when the replica has it on its disk, however long that takes",
        "no acknowledged write is lost with the primary; while no replica follows, writes wait and reads go on",
    ),
}


def check_durability(value: str) -> Durability:
    """The value, if it is one of those that can be chosen; raises BadInput."""
    if value not in list(Durability):
        what = f"{value!r} is not a durability; {did_you_mean(value, list(Durability))}"
        raise BadInput(what, hint="invoke --help db.durability")
    return Durability(value)


def in_force(semi_sync: str, timeout_ms: int) -> InForce:
    """The value that a server's variables stand for."""
    without_end = timeout_ms == WITHOUT_END_MS
    if semi_sync != "ON":
        return NONE if without_end else Durability.ASYNC
    return Durability.DURABLE if without_end else Durability.AVAILABLE


def durability_sql(value: InForce) -> str:
    """SQL that makes commits on the primary as safe as `value` says.

    Switched off and on, semi-sync that once gave up waiting begins anew: by itself it does with the next commit only.
    """
    enabled, timeout = SETTINGS[value]
    switch = "SET GLOBAL rpl_semi_sync_source_enabled"
    return f"{switch} = OFF;\nSET GLOBAL rpl_semi_sync_source_timeout = {timeout};\n{switch} = {enabled};"
