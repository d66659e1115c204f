"""Experiments in which the primary is told to stop: the doubt comes first, then the way out."""

import pytest

from tests.support.stories import ORDERLY
from tests.unit.plan.test_experiments import bounds, named


@pytest.mark.parametrize("name", sorted(ORDERLY))
def test_a_primary_that_was_told_to_stop_is_doubted_and_then_salvaged(name: str) -> None:
    """The first promotion is refused, the second one opens; enough was acknowledged that some could be lost."""
    commands = [step.command for step in named(name).steps if step.command]
    assert commands == ["db.promote web2", "db.promote web2 --salvage"]
    assert bounds(named(name))["failed-commands"] == ("equals", 1)
    assert bounds(named(name))["acknowledged-writes"] == ("at_least", 150)
