"""The number of requests that HAProxy counted, to compare with those that the load recorded."""

from lab.errors import LabError
from lab.nodes import facts
from lab.nodes.ssh import Machine


def requests(balancer: Machine) -> int | None:
    """All requests since HAProxy's start; None if it does not answer."""
    try:
        return facts.requests(balancer.run(facts.BALANCER, title="counts requests").stdout)
    except LabError:
        return None


def since(balancer: Machine, before: int | None) -> int | None:
    """The requests since the count was `before`; None if HAProxy was restarted meanwhile or does not answer."""
    after = requests(balancer)
    return None if before is None or after is None or after < before else after - before
