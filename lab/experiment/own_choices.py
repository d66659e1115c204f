"""The choices of an experiment, and the user's choices, which are restored afterwards."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from lab.desired.target import Roles
from lab.experiment import teardown
from lab.operations import converge
from lab.plan.experiment_file import Plan
from lab.state import choices
from lab.topology import Lab

CHOOSES = "lb."


@contextmanager
def in_force(lab: Lab, roles: Roles, plan: Plan, chooses: bool = False) -> Iterator[None]:
    """In the block an experiment can make its own choices; afterwards the user's are in force again.

    `chooses`: it makes choices, whatever the commands of its plan are.
    """
    chose = chooses or any(step.command.startswith(CHOOSES) for step in plan.steps)
    restores = partial(_choose_again, lab, roles, chose)
    choices.set_aside()
    try:
        yield
    except BaseException:  # report this error, not one of the converge
        teardown.tried("your choices are not in force", restores, "invoke lab.provision")
        raise
    restores()


def apply(lab: Lab, roles: Roles, wanted: Mapping[str, str], without: Sequence[str]) -> None:
    """Converge with the choices of an experiment, and without the protections that it switches off."""
    choices.save(**wanted)
    converge.everything(lab, roles, without=without)


def _choose_again(lab: Lab, roles: Roles, chose: bool) -> None:
    """Restore the user's choices, and the protections that the experiment switched off.

    `chose`: one of its commands made choices. Even if they equal the user's, they may not have come into force.

    When all protections are back, the converge removes the record that they were off. If it is interrupted, the choices
    stay set aside: the next command says that a converge is due.
    """
    if choices.put_back() or chose:
        converge.everything(lab, roles)
    choices.all_is_back()
