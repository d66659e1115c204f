"""Whether writes were lost only while MySQL reported semi-sync OFF, so that commits waited for no replica."""

from bisect import bisect_right
from collections.abc import Sequence

from lab.analysis.checks import writes
from lab.analysis.checks.finding import Finding, nothing
from lab.analysis.history import BLIND_S, History

Look = tuple[float, str, bool]  # when, which primary, whether its commits wait for a replica


def lost_while_on(history: History) -> Finding:
    """Acknowledged writes that are lost although semi-sync was not observed OFF on the primary when it answered.

    It was OFF if the last look before the answer found it so, or the next look at the same primary.
    Rpl_semi_sync_source_status: https://dev.mysql.com/doc/refman/8.4/en/replication-semisync-monitoring.html
    """
    it, looks = writes.of(history), _looks(history)
    if not it.acknowledged or not looks:
        return nothing("writes", "no primary was observed" if it.acknowledged else "no write was acknowledged")
    answered = {sent.token: sent.ended or sent.sent for sent in history.requests if sent.outcome == "ok"}
    waited = [token for token in it.gone if not _was_off(looks, answered[token])]
    off = [at for at, _, on in looks if not on]
    seen = f"OFF in {len(off)} of {len(looks)} looks" + (f", first at {history.clock(off[0])}" if off else "")
    return writes.counted(len(waited), f"of {len(it.gone)} lost; semi-sync was {seen}", it)


def _looks(history: History) -> list[Look]:
    states = history.seen("database", "state")
    return sorted(
        (entry.at, entry.data["node"], entry.data["semi_sync"]) for entry in states if entry.data["role"] == "primary"
    )


def _was_off(looks: Sequence[Look], at: float) -> bool:
    after = bisect_right(looks, at, key=lambda look: look[0])
    before, then = looks[:after][-1:], looks[after : after + 1]
    if before and then and before[0][1] != then[0][1]:
        then = []
    return any(not on and abs(seen - at) <= BLIND_S for seen, _, on in [*before, *then])
