"""How many requests HAProxy counted, to be held against those that the load recorded."""

from lab.errors import LabError
from lab.nodes import facts
from lab.nodes.ssh import Machine


def requests(balancer: Machine) -> int | None:
    """All since it was started; None where it can't be asked."""
    try:
        return facts.requests(balancer.run(facts.BALANCER, title="counts requests").stdout)
    except LabError:
        return None


def since(balancer: Machine, before: int | None) -> int | None:
    """How many came after `before`; None where it was started anew, or can't be asked."""
    after = requests(balancer)
    return None if before is None or after is None or after < before else after - before
