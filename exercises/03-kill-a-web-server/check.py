"""Judges exercise 03 by what was recorded since its start: HAProxy's view of the servers, and each read of the load."""

from lab.exercises.answers import number
from lab.exercises.facts import Facts
from lab.exercises.goals import GoalResult, not_yet, right
from lab.exercises.outages import Outage, outages
from lab.exercises.text import when

FEWEST_BEFORE, FEWEST = 5, 10  # reads; of fewer nothing is concluded
NEAR_S = 1.5  # the observers look once a second
OTHER_STORIES = {"mysql"}  # a dead database is taken out too, and is another exercise
OUT = ("DRAIN", "MAINT")
ANSWER = "invoke exercise.check 03 --answer {}=..."
STATUS = "invoke lab.status"


def killed(facts: Facts) -> GoalResult:
    """A server that HAProxy took out by itself, because of something else than its database alone."""
    found = outages(facts)
    deaths = [it for it in found if not (it.dead and it.dead <= OTHER_STORIES)]
    if not found:
        return not_yet(f"since the start no web server went DOWN in HAProxy{_by_a_command(facts)}", STATUS)
    if not deaths:
        return not_yet(f"{found[0].server} was out because of its MySQL: its web server worked", "invoke lab.logs")
    alone = [it for it in deaths if not any(_overlap(it, other) for other in found if other.server != it.server)]
    if not alone:
        return not_yet("no web server was left: all were DOWN at the same time", "invoke experiment.report latest")
    it = alone[0]
    cause = f"; dead: {', '.join(sorted(it.dead))}" if it.dead else ""
    return right(f"{it.server} went DOWN at {when(it.down)}{cause}")


def measured(facts: Facts) -> GoalResult:
    """Reads were recorded before and during an outage, and another server answered some of them."""
    if _good(facts):
        it = _good(facts)[0]
        return right(
            f"{len(it.reads)} reads were due while {it.server} was dead, {len(it.reads_before)} before it died"
        )
    recorded = [it for it in _deaths(facts) if it.run]
    if not recorded:
        runs = f"{len(facts.runs)} measurements were recorded, and no web server died in them"
        what = runs if facts.runs else "nothing was recorded since the start"
        return not_yet(f"{what}; a run from before the start does not count", "invoke experiment.list --lesson web")
    it, run = recorded[0], recorded[0].run
    reads = f"{len(it.reads_before)} reads before {it.server} died and {len(it.reads)} while it was dead"
    needed = f"{FEWEST_BEFORE} and {FEWEST} are needed, and another server must answer"
    return not_yet(f"{run.name if run else ''} has {reads}; {needed}", "invoke experiment.report latest")


def failed(facts: Facts) -> GoalResult:
    """How many reads failed, in any of the student's own measurements."""
    said = number(facts.answers.get("failed", ""))
    if said is None or not _good(facts):
        return _unanswered("failed", facts)
    for it in _good(facts):
        if said in (it.failed, _all_failed(it)):
            return right(f"{it.failed} of {len(it.reads)} reads failed while {it.server} was dead")
    return not_yet(f"your measurement counts another number of failed reads than {said:g}", _report(facts))


def noticed(facts: Facts) -> GoalResult:
    """How long HAProxy took, within what its observers can tell."""
    said = number(facts.answers.get("noticed", ""))
    if said is None or not _good(facts):
        return _unanswered("noticed", facts)
    for it in _good(facts):
        if abs(said - it.noticed_s) <= NEAR_S:
            return right(f"{it.server} was taken out {it.noticed_s:.1f} s after it died")
    return not_yet(f"your measurement shows another time than {said:g} s", _report(facts))


def why(facts: Facts) -> GoalResult:
    """What saved the reads before the health check did."""
    said = facts.answers.get("why", "")
    if not said or not _good(facts):
        return _unanswered("why", facts)
    if said == "retry":
        return right("HAProxy sent these reads again, to the server that was left")
    if said == "health-check":
        return not_yet(
            "until the checks had failed often enough the server was UP, and reads were sent to it", _report(facts)
        )
    untouched = {
        "dns": "the name leads to the balancer all the time, and the balancer never died",
        "replica": "a replica holds the data, and does not answer HTTP for a dead web server",
        "browser": "the load sends nothing again: each read in your record is one attempt",
    }
    return not_yet(untouched.get(said, f"{said!r} is none of the answers"), _report(facts))


def back(facts: Facts) -> GoalResult:
    """Every server that died is UP now."""
    servers = {it["name"]: it["status"] for it in (facts.status["balancer"] or {}).get("servers", ())}
    died = sorted({it.server for it in _deaths(facts)})
    if not died:
        return not_yet("no server has died since the start")
    out = [f"{name} is {servers.get(name, 'unknown')} in HAProxy" for name in died if servers.get(name) != "UP"]
    if out:
        return not_yet("; ".join(out), STATUS)
    return right(f"{', '.join(died)}: UP")


def _deaths(facts: Facts) -> list[Outage]:
    return [it for it in outages(facts) if not (it.dead and it.dead <= OTHER_STORIES)]


def _good(facts: Facts) -> list[Outage]:
    """The outages with enough reads, of which another server answered some."""
    found = [it for it in _deaths(facts) if len(it.reads) >= FEWEST and len(it.reads_before) >= FEWEST_BEFORE]
    return [it for it in found if it.served_by_others]


def _all_failed(it: Outage) -> int:
    reads = it.run.history.requests if it.run else []
    return sum(not read.is_answered for read in reads if read.method == "GET")


def _overlap(it: Outage, other: Outage) -> bool:
    end = float("inf")
    return it.down < (other.up or end) and other.down < (it.up or end)


def _by_a_command(facts: Facts) -> str:
    """That a server was taken out by a command, where one was: nothing died then."""
    now = [it["status"] for it in (facts.status["balancer"] or {}).get("servers", ())]
    seen = [it.status for run in facts.runs for them in run.history.servers.values() for it in them]
    drained = any(it.startswith(OUT) for it in (*now, *seen))
    return "; one was taken out by a command, so nothing died" if drained else ""


def _unanswered(goal: str, facts: Facts) -> GoalResult:
    if not _good(facts):
        return not_yet("it is judged by your own measurement, which is not there yet")
    return not_yet("not answered yet", ANSWER.format(goal))


def _report(facts: Facts) -> str:
    run = _good(facts)[0].run
    return f"invoke experiment.report {run.name}" if run and run.history.run else "the record of your load"


def failed_of_100(facts: Facts) -> str:
    """The failed reads while the server was dead, as a share."""
    return next((f"{100 * it.failed / len(it.reads):.0f}" for it in _good(facts)), "")


def noticed_after(facts: Facts) -> str:
    """The seconds until HAProxy took the server out."""
    return next((f"{it.noticed_s:.1f} s" for it in _good(facts)), "")


GOALS = {
    "killed": killed,
    "measured": measured,
    "failed": failed,
    "noticed": noticed,
    "why": why,
    "back": back,
}
MEASURED = {"failed": failed_of_100, "noticed": noticed_after}
