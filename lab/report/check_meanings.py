"""What each check means and which limit is usual: for `invoke experiment.checks` and docs/experiments.md."""

from collections.abc import Mapping
from dataclasses import dataclass

from lab.analysis.checks.catalogue import CHECKS, find
from lab.analysis.history import History

UNITS = {"": "true or false", "s": "seconds", "ratio": "share, 0 to 1"}


@dataclass(frozen=True)
class Meaning:
    """What a check tells, the limit that most experiments set as a file has it, and when another one is right."""

    text: str
    limit: str
    note: str = ""


@dataclass(frozen=True)
class Explained:
    """A check as people read about it."""

    name: str
    unit: str
    limit: str
    text: str


MEANINGS: Mapping[str, Meaning] = {
    "failed-gets": Meaning(
        "Reads that got no correct answer in the whole run. A 404 for a note counts only if the note was acknowledged "
        "more than staleness_s before.",
        "at_most: 0",
    ),
    "failed-gets-in-window": Meaning(
        "The same, but only reads that were due after a fault began and before HAProxy took the server out.",
        "at_most: 0",
    ),
    "longest-outage": Meaning("The longest time in which reads were due and none succeeded.", "at_most: 2"),
    "write-outage": Meaning(
        "The longest time in which writes were due and none was acknowledged.",
        "at_most: 5",
        "With a promotion allow 13.5. Where durable writes lose their replica, expect at_least: 5.",
    ),
    "detected": Meaning(
        "Time from the beginning of a fault until HAProxy no longer called the server UP. With several faults, the "
        "longest.",
        "at_most: 4.5",
        "Allow 6.75 where the server goes silent instead of refusing connections.",
    ),
    "recovered": Meaning(
        "Time from the beginning of the heal until the server was UP and answered requests again. With several "
        "faults, the longest.",
        "reported: true",
        "The time depends on the machine.",
    ),
    "slow-requests": Meaning(
        "Requests that ended more than 1 s after they were due, or never.",
        "reported: true",
        "The number depends on the machine.",
    ),
    "false-downs": Meaning("How often HAProxy called a server DOWN although no fault explains it.", "at_most: 0"),
    "acknowledged-writes": Meaning(
        "Writes that the site confirmed. Set a minimum: if few writes were confirmed, 'none lost' proves little.",
        "at_least: 150",
        "The number depends on the load.",
    ),
    "lost-writes": Meaning(
        "Acknowledged writes that a database does not have in the end, or has with another text.", "at_most: 0"
    ),
    "lost-while-semi-sync-on": Meaning(
        "Lost writes that were acknowledged while MySQL did not report semi-sync as OFF. With durability 'available' "
        "a write may be lost only while it does.",
        "at_most: 0",
    ),
    "duplicated-writes": Meaning("Notes that a database has more than once in the end.", "at_most: 0"),
    "unexpected-writes": Meaning(
        "Notes that should not exist: never sent, or reported as failed; or without an acknowledgement and in one "
        "database only, or with another text.",
        "at_most: 0",
    ),
    "unknown-writes": Meaning(
        "Writes that were sent and got no clear answer, so that the client can't know whether they were done.",
        "reported: true",
        "Where nothing breaks, allow none.",
    ),
    "stale-reads": Meaning(
        "Reads of one note that got 404 although the note had been acknowledged before. A replica is always a little "
        "behind, so a few are normal.",
        "at_most: 10",
    ),
    "gtid-equal": Meaning(
        "Whether all databases have the same transactions in the end, by the numbers (GTIDs) that MySQL gives them.",
        "equals: true",
    ),
    "two-writable": Meaning(
        "Moments at which two databases accepted writes. An overlap of less than 1.2 s may be missed.", "at_most: 0"
    ),
    "arrival-rate": Meaning(
        "Requests that were sent, as a share of those that were due. Below the limit the load generator was too slow, "
        "and the other figures prove little. A little above 1 is normal: the measured time may catch one or two more.",
        "at_least: 0.98",
    ),
    "balancer-retries": Meaning(
        "How often HAProxy tried a request again, on the same server or on another one.",
        "reported: true",
        "Where nothing breaks, allow none.",
    ),
    "requests-seen": Meaning(
        "Requests that HAProxy counted minus those that the client recorded. Above 0, a request was sent twice or came "
        "from somebody else.",
        "equals: 0",
    ),
    "failed-commands": Meaning(
        "Commands of the experiment that did not exit 0, including those that restore the roles.",
        "at_most: 0",
        "Checked in every experiment that has commands, unless its file sets another limit.",
    ),
    "goodput": Meaning(
        "Answers within 3 s, per second, at the rate of the crowd where they were fewest; as a share of what was "
        "possible: the best that the site reached at any rate, or what was sent, if that was less.",
        "at_least: 0.8",
    ),
    "answer-time": Meaning(
        "99 % of the answers to reads during the crowd took no longer than this.",
        "at_most: 3",
        "Allow 5 where the crowd writes.",
    ),
    "refusal-time": Meaning(
        "The longest time until the balancer refused a request with 503; 0 if it refused none.", "at_most: 2.5"
    ),
    "unanswered": Meaning("Requests in the whole run that got neither an answer nor a refusal.", "at_most: 0"),
    "crowd-recovery": Meaning("Time after the crowd until every request was answered within 3 s again.", "at_most: 10"),
    "crowd-writes": Meaning(
        "Writes acknowledged per second during the crowd, as a share of those before it.", "at_least: 0.8"
    ),
}


def explained() -> list[Explained]:
    """Every check that can judge a run, in the order of the catalogue."""
    nothing = History([])  # a check names its unit even where it has nothing to look at
    return [_explained(name, find(nothing, name).unit, MEANINGS[name]) for name in CHECKS]


def _explained(name: str, unit: str, meaning: Meaning) -> Explained:
    text = f"{meaning.text} {meaning.note}".strip()
    return Explained(name, UNITS.get(unit, unit), meaning.limit, text)
