"""Which fault explains HAProxy's status of a server, and for how long."""

from bisect import bisect_left

from lab.analysis.history import FaultSpan, History

# A server with one of these faults still answers its checks.
UNNOTICED = (
    "clock-skew",
    "php-limit",
    "replication-stop",
    "replication-lag",
    "replication-slow",
    "large-transaction",
)
NEVER = float("inf")


def taken(history: History, fault: FaultSpan) -> list[str]:
    """The servers that a fault takes from the balancer: the one on its node, or one that a partition cuts off."""
    webs = history.having("web")
    if fault.kind in UNNOTICED:
        return []
    if _cuts_one_direction(fault):
        ends = {fault.node, fault.peer}
        return [name for name in webs if name in ends and ends & set(history.having("balancer"))]
    return [name for name in webs if name == fault.node]


def shaken(history: History, fault: FaultSpan) -> list[str]:
    """The servers that may be DOWN because of a fault: all of them if it affects the balancer itself."""
    hits_haproxy = fault.kind not in UNNOTICED and fault.service in ("", "haproxy")
    on_balancer = fault.node in history.having("balancer") and hits_haproxy
    return history.having("web") if on_balancer and not _cuts_one_direction(fault) else taken(history, fault)


def _cuts_one_direction(fault: FaultSpan) -> bool:
    return fault.kind == "partition" and fault.peer not in ("", "all")


def over(history: History, fault: FaultSpan, server: str) -> float:
    """When a fault no longer explains a DOWN: the server was UP after the last check that the fault can have failed."""
    if fault.healed is None:
        return NEVER
    samples = history.servers.get(server, [])
    first = bisect_left(samples, fault.healed + notice_s(history), key=lambda sample: sample.at)
    return next((sample.at for sample in samples[first:] if sample.is_up), NEVER)


def notice_s(history: History) -> float:
    """The longest that HAProxy's checks need to notice that a server is gone."""
    limits = history.run.get("limits", {})
    timeout = limits.get("check_timeout_s", 1.5)
    again = limits.get("check_fastinter_s", 0.5) + timeout
    return float(limits.get("check_inter_s", 1.0) + timeout + (limits.get("fall", 2) - 1) * again)
