"""Whether a primary whose MySQL was stopped is primary again when a converge starts it; pure, contacts no host."""

from collections.abc import Collection

from lab.mysql import gtid, promotion, server_state, shutdown
from lab.mysql.data_loss import Situation


def restarts(it: Situation, stopped: Collection[str]) -> str:
    """The cheaper command beside a promotion of `it.node`, '' if there is none; `stopped`: where MySQL was stopped."""
    name = it.other.name
    return f"invoke lab.provision (starts it, {name} stays primary), or " if name in stopped and _comes_back(it) else ""


def _comes_back(it: Situation) -> bool:
    """Whether `it.other`, stopped on a running node, surely becomes the primary again, with all its transactions.

    lab.provision opens it if it is the only server without a source, and the other one replicates and has nothing
    alone (election.py). So it must be the last primary seen, with no later promotion and no fault on either node. Its
    node must have a record of its end as primary: that of a machine that was made anew, and is empty, has none.
    """
    own, seen = it.own, it.seen
    if it.rival is not None or it.gone or seen is None or seen.node != it.other.name or seen.opening:
        return False
    if promotion.broken(it.node.name) or promotion.broken(it.other.name) or not it.ended.endswith(shutdown.RELEASES):
        return False
    follows = own.source == str(it.other.ip) and not own.writable and not own.stopped
    return follows and not server_state.made_by(own, gtid.minus(own.gtid_executed, seen.gtid_executed))
