"""The scripts of a fault inside a node: bash to prepare it, inject it, verify it, heal it, verify that it is gone."""

from dataclasses import dataclass

from lab.faults.kinds import Fault

FOLDER = "/run/weblab-faults"  # a boot removes it, and the state that faults store there


@dataclass(frozen=True)
class Scripts:
    """The scripts of a fault; `timed`: a timer in the guest heals it if no command does.

    `prepare` breaks nothing and does all that takes seconds, so that the fault begins on time.
    """

    inject: str
    seen: str
    heal: str
    gone: str
    prepare: str = ""
    timed: bool = False


def state_path(fault: Fault) -> str:
    """The file on the node in which a fault stores its state."""
    return f"{FOLDER}/{fault.id}"
