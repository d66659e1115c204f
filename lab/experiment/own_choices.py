"""The choices of an experiment, and the user's choices, which are restored afterwards."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from lab.desired.target import Roles
from lab.experiment import teardown
from lab.operations import converge
from lab.state import choices
from lab.topology import Lab


@contextmanager
def in_force(lab: Lab, roles: Roles) -> Iterator[None]:
    """In the block an experiment can make its own choices; afterwards the user's are in force again."""
    choices.set_aside()
    try:
        yield
    except BaseException:  # report this error, not one of the converge
        teardown.tried("your choices are not in force", lambda: _choose_again(lab, roles), "invoke lab.provision")
        raise
    _choose_again(lab, roles)


def apply(lab: Lab, roles: Roles, wanted: Mapping[str, str], without: Sequence[str]) -> None:
    """Converge with the choices of an experiment, and without the protections that it switches off."""
    choices.save(**wanted)
    converge.everything(lab, roles, without=without)


def _choose_again(lab: Lab, roles: Roles) -> None:
    """Restore the user's choices, and the protections that the experiment switched off.

    When all protections are back, the converge removes the record that they were off.
    """
    if choices.bring_back():
        converge.everything(lab, roles)
