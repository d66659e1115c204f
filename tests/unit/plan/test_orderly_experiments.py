"""Experiments in which the primary is told to stop: the doubt comes first, then the way out."""

from itertools import product

import pytest

from lab.plan.experiment_file import Plan
from tests.support.stories import STOPS, orderly
from tests.unit.plan.test_experiments import PLANS, bounds

ORDERLY = [it for it in PLANS if orderly(it)]
NOT_LISTENING = {"replication-stop", "service-freeze", "partition", "power-off"}


@pytest.mark.parametrize("it", ORDERLY, ids=lambda it: it.name)
def test_a_primary_that_was_told_to_stop_is_doubted_and_then_salvaged(it: Plan) -> None:
    """The first promotion is refused, the second one opens; enough was acknowledged that some could be lost."""
    commands = [step.command for step in it.steps if step.command]
    assert commands == ["db.promote web2", "db.promote web2 --salvage"]
    assert bounds(it)["failed-commands"] == ("equals", 1)
    assert bounds(it)["acknowledged-writes"] == ("at_least", 150)


def test_every_way_to_stop_is_tried_with_every_replica_that_does_not_listen() -> None:
    """The replica no longer gets what the primary commits before it is told to stop."""
    tried = [tuple(fault.kind for fault in it.faults) for it in ORDERLY]
    assert sorted(tried) == sorted(product(NOT_LISTENING, STOPS))
