"""What the words in the lanes mean, for whoever reads them for the first time."""

from lab.analysis import state_intervals
from lab.analysis.history import History
from lab.analysis.state_intervals import BLIND

MEANINGS = {
    "UP 1/": ("UP 1/2", "HAProxy missed a check of it, and still sends it requests"),
    "DOWN 1/": ("DOWN 1/2", "a check went well again, the next one brings it back"),
    "replica, stopped": ("replica, stopped", "it has a primary, and hears nothing of it"),
    "unassigned": ("unassigned", "it runs, follows nobody and takes no writes, until the lab says what it is"),
    "writable": ("writable", "it takes writes"),
    "semi-sync OFF": ("semi-sync OFF", "it acknowledges writes that its replica may not have"),
    BLIND: ("not seen", "it did not answer; what it was is not known"),
    "paused": ("paused", "its processor stands still, its memory is kept"),
}


def glossary(history: History) -> list[tuple[str, str]]:
    """Each word that stands in a lane of this run and needs one, with its meaning."""
    drawn = (state_intervals.servers(history), state_intervals.databases(history), state_intervals.power(history))
    labels = {it.label for kind in drawn for lane in kind.values() for it in lane}
    return [meaning for word, meaning in MEANINGS.items() if any(word in label for label in labels)]
