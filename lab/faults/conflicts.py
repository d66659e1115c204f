"""Which faults cannot be active together, so that each that is on the timeline is real and can be healed."""

from collections.abc import Sequence

from lab.faults.kinds import ALL, KINDS, Fault


def conflicts(active: Sequence[Fault], new: Fault) -> str:
    """Why `new` cannot be injected while `active` are; '' if it can."""
    rules = (_same, _node_has_failed, _node_would_fail, _one_service, _replication, _cut)
    reasons = (rule(other, new) for rule in rules for other in active)
    return next(filter(None, reasons), "")


def _same(other: Fault, new: Fault) -> str:
    return f"{other.id} is active already: heal it first" if other.key == new.key else ""


def _node_has_failed(other: Fault, new: Fault) -> str:
    word = KINDS[other.kind].node_state
    return f"{new.node} is {word}: nothing else can break there" if word and other.node == new.node else ""


def _node_would_fail(other: Fault, new: Fault) -> str:
    """A restart would end some faults unseen, and nothing can be healed on a node that stands still."""
    if KINDS[new.kind].node_state and other.node == new.node and not KINDS[other.kind].passes:
        return f"{other.id} is active: heal it before the whole node fails"
    return ""


def _one_service(other: Fault, new: Fault) -> str:
    if new.service and (other.node, other.service) == (new.node, new.service):
        return f"{other.id} is active: {new.service} cannot fail twice at once"
    return ""


def _replication(other: Fault, new: Fault) -> str:
    """Replication runs inside MySQL: it starts anew with it, and cannot be told to stop or wait without it."""
    inside = ("replication-stop", "replication-lag")
    if other.node != new.node or not {other.kind, new.kind} & set(inside):
        return ""
    if other.kind in inside and new.kind in inside:
        return f"{other.id} is active: replication on {new.node} cannot fail twice at once"
    if "mysql" in (other.service, new.service):
        return f"{other.id} is active: replication and mysql on {new.node} cannot fail at once"
    return ""


def _cut(other: Fault, new: Fault) -> str:
    """Healing one of two cuts of the same link would not bring it back."""
    if other.kind == new.kind == "partition" and (_covers(other, new) or _covers(new, other)):
        return f"{other.id} is active: it cuts the same link"
    return ""


def _covers(wide: Fault, narrow: Fault) -> bool:
    """Whether every link that `narrow` cuts is cut by `wide`."""
    ends = {narrow.node, narrow.peer}
    return wide.node in ends if wide.peer == ALL else {wide.node, wide.peer} == ends
