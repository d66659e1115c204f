"""The shipped experiments: what each allows of notes that are not there yet, and who is primary in it."""

import pytest

from lab import topology
from lab.analysis.history import STALENESS_S
from lab.plan.experiment_file import Plan
from tests.support.stories import shipped

PLANS = shipped(topology.load())
# The replica gets nothing for a while, or gets it late; after a promotion, the other server does.
BEHIND = {"replication-stop", "replication-lag", "replication-slow", "partition", "disk-full", "slow"}


@pytest.mark.parametrize("it", PLANS, ids=lambda it: it.name)
def test_a_note_that_vanished_is_a_failed_read_unless_replication_is_broken(it: Plan) -> None:
    """Who lets notes come later says so, and does something that holds them back."""
    bounded = {"stale-reads"} & {e.check for e in it.expect if e.bound == "at_most"}
    if it.staleness_s > STALENESS_S:
        changes = any(step.command for step in it.steps)
        assert changes or BEHIND & {fault.kind for fault in it.faults} or it.durability == "available"
    else:
        assert bounded


@pytest.mark.parametrize("it", PLANS, ids=lambda it: it.name)
def test_the_one_whom_the_name_calls_primary_is_so(it: Plan) -> None:
    """`web1-power-off` is the loss of the primary; where only the balancer fails, or nothing, any primary will do."""
    any_primary = it.name in ("control", "lb1-haproxy-kill", "lb1-power-off")
    assert (it.primary == "web1") != (any_primary and it.primary == "")
