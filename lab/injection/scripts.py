"""The scripts of a fault inside a node: bash to prepare it, inject it, see it, heal it, and see it gone."""

from dataclasses import dataclass

from lab.faults.kinds import Fault

FOLDER = "/run/weblab-faults"  # gone after a boot, as what is kept there is


@dataclass(frozen=True)
class Scripts:
    """The scripts of a fault; `timed`: a timer in the guest heals it when nobody else does.

    `prepare` breaks nothing yet: what takes seconds is done there, so that the fault comes when it is told.
    """

    inject: str
    seen: str
    heal: str
    gone: str
    prepare: str = ""
    timed: bool = False


def state_path(fault: Fault) -> str:
    """Where a fault keeps on the node what it needs later."""
    return f"{FOLDER}/{fault.id}"
