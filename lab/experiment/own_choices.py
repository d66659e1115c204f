"""What an experiment chooses for itself, and what the user chose before it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from lab.desired.target import Roles
from lab.experiment import teardown
from lab.operations import converge
from lab.state import choices
from lab.topology import Lab


@contextmanager
def in_force(lab: Lab, roles: Roles) -> Iterator[None]:
    """In the block an experiment chooses for itself; afterwards the user's choices hold again."""
    choices.set_aside()
    try:
        yield
    except BaseException:  # the error that ended it is reported, not one of the converge
        teardown.tried("what you chose is not in force", lambda: _choose_again(lab, roles), "invoke lab.provision")
        raise
    _choose_again(lab, roles)


def apply(lab: Lab, roles: Roles, wanted: Mapping[str, str], without: Sequence[str]) -> None:
    """Converge with what an experiment wants, without the protections that it takes away."""
    choices.save(**wanted)
    converge.everything(lab, roles, without=without)


def _choose_again(lab: Lab, roles: Roles) -> None:
    """What the experiment chose for itself goes with it, and what it took away is put back.

    That it was taken away is struck out by the converge, once all is there again.
    """
    if choices.bring_back():
        converge.everything(lab, roles)
