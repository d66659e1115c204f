"""What each check means to a user: timelines that must fail, pass or prove nothing, not by the author of the checks."""

from collections.abc import Mapping
from typing import Any

import pytest

from lab.analysis.checks.catalogue import judge
from lab.analysis.history import STEPS, History
from lab.analysis.timeline import Entry
from tests.support.crowds import slower
from tests.support.timelines import (
    T0,
    UUID,
    Picked,
    absent,
    changed,
    database,
    failed,
    final,
    kind,
    of,
    quiet,
    request,
    servers,
    spell,
    switched_off,
    without,
    write,
)

FAIL, PASS, INCONCLUSIVE = "fail", "pass", "inconclusive"
Case = tuple[str, str, Mapping[str, Any], list[Entry]]
NONE, SAME = {"at_most": 0}, {"equals": True}
NOTES = dict.fromkeys([f"t{number}" for number in range(0, 400, 5)], 1)
LOAD = {"rate": 20, "rates": [{"at": 5, "rate": 40}, {"at": 10, "rate": 20}]}


def sent(method: str = "", start: float = -1e6, stop: float = 1e6) -> Picked:
    """Select the requests of one method, due from start to before stop."""
    picked = of("client", start, stop)
    return lambda entry: picked(entry) and method in ("", entry.data["method"])


def seen(node: str, start: float, stop: float) -> Picked:
    """Select the observations of one database from start to before stop."""
    picked = of("database", start, stop)
    return lambda entry: picked(entry) and entry.data["node"] == node


def broken(method: str, start: float, stop: float, *, status: int = 503, outcome: str = "failed") -> list[Entry]:
    """A quiet run in which all requests of one method failed for a time."""
    return changed(quiet(), sent(method, start, stop), status=status, outcome=outcome)


def ending(*more: Entry, web1: dict[str, int], web2: dict[str, int] | None = None, altered: str = "") -> list[Entry]:
    """A run whose databases hold these notes besides those of a quiet one (None: not read); web1 altered one."""
    held = {node: {**NOTES, **notes} for node, notes in (("web1", web1), ("web2", web2)) if notes is not None}
    final_reads = [final(node, {it: count for it, count in notes.items() if count}) for node, notes in held.items()]
    final_reads = changed(final_reads, kind("final", "web1"), altered=[altered] if altered else [])
    return [*without(quiet(), kind("final")), *more, *final_reads]


def look(at: float, node: str, writable: bool, for_s: float) -> Entry:
    """An observation that says for how long a database has taken writes, or none."""
    return Entry(T0 + at, "writable", "state", {"node": node, "writable": writable, "for_s": for_s})


def turned(*looks: Entry, start: float, stop: float) -> list[Entry]:
    """A run in which web1 took writes to the end of `start`, and web2 from `stop` on, with only these looks between."""
    before = [database(at, node, node == "web1") for node in ("web1", "web2") for at in (-0.5, 2.5, 5.5, start)]
    after = [database(at, node, node == "web2") for node in ("web1", "web2") for at in (stop, 13.5, 16.5, 19.5)]
    return [*without(quiet(), of("database")), *before, *looks, *after]


def hidden(fault: str, service: str = "", node: str = "web2", start: float = 7, seconds: float = 10) -> list[Entry]:
    """The database of web2 is not observed from 7 to 16 s, and there is a fault."""
    words = {"id": fault, "kind": fault, "node": node, "service": service, "peer": ""}
    times = [start, start + 0.5, start + seconds - 2, start + seconds - 1]
    steps = changed(spell(times, node, fault), lambda entry: entry.kind in STEPS, fault=words)
    return [*without(quiet(30), seen("web2", 7, 16)), *steps]


def looked(entries: list[Entry], start: float, stop: float, **words: Any) -> list[Entry]:
    """The same, but HAProxy reported this from start to before stop."""
    at = [number / 4 for number in range(int(start * 4), int(stop * 4))]
    return [*without(entries, of("balancer", start, stop)), *(servers(it, **words) for it in at)]


def crowd(rest: int = 200, took: float = 0.02, **changes: Any) -> list[Entry]:
    """From 5 to 10 s twice as many arrive; all but the first `rest` of the additional ones get these `changes`."""
    more = [5.01 + number / 20 for number in range(100)]
    extra = [request(at, ended=T0 + at + took, **(changes if place >= rest else {})) for place, at in enumerate(more)]
    return [*quiet(load=LOAD), *extra]


def refused(seconds: float, served_by: str = "") -> list[Entry]:
    """A crowd of which half is refused, after that long."""
    return crowd(0, seconds, status=503, outcome="failed", served_by=served_by)


HIDDEN, DOWN, BUSY = of("client", 8, 14), {"status": 503, "outcome": "failed"}, {"cpu": 0.9, "cpu_peak": 0.9}
READS: dict[str, Case] = {
    "all pages came": (PASS, "failed-gets", NONE, quiet()),
    "one page did not come": (FAIL, "failed-gets", NONE, [*quiet(), failed(7)]),
    "a page with wrong content": (FAIL, "failed-gets", NONE, [*quiet(), failed(7, status=200, reason="content")]),
    "a page that is not there": (FAIL, "failed-gets", NONE, [*quiet(), failed(7, status=404)]),
    "a note that is too late": (FAIL, "failed-gets", NONE, [*quiet(), absent(4.12, "t40")]),
    "a note that may be late": (PASS, "failed-gets", NONE, [*quiet(), absent(3.92, "t40")]),
    "too late, as the run says": (FAIL, "failed-gets", NONE, [*quiet(staleness_s=0.5), absent(2.62, "t40")]),
    "may be late, as the run says": (PASS, "failed-gets", NONE, [*quiet(staleness_s=5), absent(6.92, "t40")]),
    "a note nobody promised": (PASS, "failed-gets", NONE, [*quiet(), write(3, "n", "unknown"), absent(19, "n")]),
    "a note promised later": (PASS, "failed-gets", NONE, [*quiet(), write(3, "n", ended=T0 + 9), absent(8, "n")]),
    "nobody read for a while": (INCONCLUSIVE, "failed-gets", NONE, without(quiet(), HIDDEN)),
    "nor before, and one failed": (FAIL, "failed-gets", NONE, [*without(quiet(), HIDDEN), failed(7)]),
    "no note was missing": (PASS, "stale-reads", NONE, quiet()),
    "a note was missing at once": (FAIL, "stale-reads", NONE, [*quiet(), absent(2.5, "t40")]),
    "a note was missing late": (FAIL, "stale-reads", NONE, [*quiet(), absent(12, "t40")]),
    "read before it was promised": (PASS, "stale-reads", NONE, [*quiet(), write(3, "n", ended=T0 + 5), absent(4, "n")]),
    "nobody read a note": (INCONCLUSIVE, "stale-reads", NONE, changed(quiet(), sent("GET"), token="")),
    "no page for three seconds": (FAIL, "longest-outage", {"at_most": 2}, broken("GET", 5, 8)),
    "wrong pages for three seconds": (FAIL, "longest-outage", {"at_most": 2}, broken("GET", 5, 8, status=200)),
    "no page for a second and a half": (PASS, "longest-outage", {"at_most": 2}, broken("GET", 5, 6.5)),
    "nobody asks for three seconds": (PASS, "longest-outage", {"at_most": 2}, without(quiet(), of("client", 5, 8))),
    "nobody reads at all": (INCONCLUSIVE, "longest-outage", {"at_most": 2}, without(quiet(), sent("GET"))),
    "no write for six seconds": (FAIL, "write-outage", {"at_most": 5}, broken("POST", 5, 11, outcome="unknown")),
    "no write for four seconds": (PASS, "write-outage", {"at_most": 5}, broken("POST", 5, 9)),
    "nobody writes at all": (INCONCLUSIVE, "write-outage", {"at_most": 5}, without(quiet(), sent("POST"))),
}
WEB2, ERRANT = kind("final", "web2"), f"{UUID}:1-100,{UUID[:-1]}3:1"
UNKNOWN, DENIED = write(3, "n", "unknown"), write(3, "n", "failed")
WRITES: dict[str, Case] = {
    "all notes are there": (PASS, "lost-writes", NONE, ending(web1={}, web2={})),
    "one is gone in one": (FAIL, "lost-writes", NONE, ending(web1={}, web2={"t40": 0})),
    "one has another body": (FAIL, "lost-writes", NONE, ending(web1={}, web2={}, altered="t40")),
    "one that nobody promised": (PASS, "lost-writes", NONE, ending(UNKNOWN, web1={}, web2={})),
    "web2 was not read": (INCONCLUSIVE, "lost-writes", NONE, ending(web1={})),
    "not read, and one must be lost": (INCONCLUSIVE, "lost-writes", {"at_least": 1}, ending(web1={"t40": 0})),
    "not read, and gone in web1": (FAIL, "lost-writes", NONE, ending(web1={"t40": 0})),
    "not read, and another body": (FAIL, "lost-writes", NONE, ending(web1={}, altered="t40")),
    "nothing was promised": (INCONCLUSIVE, "lost-writes", NONE, without(quiet(), sent("POST"))),
    "none is there twice": (PASS, "duplicated-writes", NONE, ending(web1={}, web2={"t40": 0})),
    "twice in one": (FAIL, "duplicated-writes", NONE, ending(web1={}, web2={"t40": 2})),
    "twice is not known": (INCONCLUSIVE, "duplicated-writes", NONE, ending(web1={})),
    "twice, and web2 not read": (FAIL, "duplicated-writes", NONE, ending(web1={"t40": 2})),
    "one that nobody sent": (FAIL, "unexpected-writes", NONE, ending(web1={"n": 1}, web2={"n": 1})),
    "one that was refused": (FAIL, "unexpected-writes", NONE, ending(DENIED, web1={"n": 1}, web2={"n": 1})),
    "unknown, in one only": (FAIL, "unexpected-writes", NONE, ending(UNKNOWN, web1={}, web2={"n": 1})),
    "unknown, in both": (PASS, "unexpected-writes", NONE, ending(UNKNOWN, web1={"n": 1}, web2={"n": 1})),
    "unknown, in none": (PASS, "unexpected-writes", NONE, ending(UNKNOWN, web1={}, web2={})),
    "lost is not unexpected": (PASS, "unexpected-writes", NONE, ending(web1={}, web2={"t40": 0})),
    "unknown, and web2 not read": (INCONCLUSIVE, "unexpected-writes", NONE, ending(UNKNOWN, web1={"n": 1})),
    "refused, and web2 not read": (FAIL, "unexpected-writes", NONE, ending(DENIED, web1={"n": 1})),
    "all were answered": (PASS, "unknown-writes", NONE, [*quiet(), write(3, "n", "failed")]),
    "one was not": (FAIL, "unknown-writes", NONE, [*quiet(), UNKNOWN]),
    "one was, the second time": (PASS, "unknown-writes", NONE, [*quiet(), UNKNOWN, write(4, "n")]),
    "nobody wrote for a while": (INCONCLUSIVE, "unknown-writes", NONE, without(quiet(), HIDDEN)),
    "the same transactions": (PASS, "gtid-equal", SAME, changed(quiet(), WEB2, gtid_executed=f"{UUID}:1-50:51-100")),
    "the last one is missing": (FAIL, "gtid-equal", SAME, changed(quiet(), WEB2, gtid_executed=f"{UUID}:1-99")),
    "one of another server": (FAIL, "gtid-equal", SAME, changed(quiet(), WEB2, gtid_executed=ERRANT)),
    "nothing to compare with": (INCONCLUSIVE, "gtid-equal", SAME, without(quiet(), WEB2)),
}
# web2 was opened at 8.6 s. Web1 is seen closed at 10 s: since 9.1 s or, in an orderly switch, since 8.3 s.
LATE, OPENED = look(8.9, "web1", True, 99), look(9.5, "web2", True, 0.9)
BESIDE = [look(8.5, "web2", False, 99), look(9, "web1", True, 99), OPENED, look(10, "web1", False, 0.9)]
ORDERLY = [LATE, look(8.4, "web2", False, 99), OPENED, look(10, "web1", False, 1.7)]
BOTH = changed(quiet(), seen("web2", 8, 11), writable=True)
DATABASES: dict[str, Case] = {
    "one takes writes": (PASS, "two-writable", NONE, quiet()),
    "two do for three seconds": (FAIL, "two-writable", NONE, BOTH),
    "two do between two looks": (FAIL, "two-writable", NONE, turned(*BESIDE, start=8, stop=10.5)),
    "one after the other": (PASS, "two-writable", NONE, turned(*ORDERLY[1:], start=8, stop=10.5)),
    "one after the other, a late answer": (PASS, "two-writable", NONE, turned(*ORDERLY, start=8, stop=10.5)),
    "one was not seen": (INCONCLUSIVE, "two-writable", NONE, without(quiet(), seen("web2", 7, 16))),
    "nor was it, and two do": (FAIL, "two-writable", NONE, without(BOTH, seen("web2", 12, 19))),
    "one was off": (PASS, "two-writable", NONE, hidden("power-off")),
    "the other one was off": (INCONCLUSIVE, "two-writable", NONE, hidden("power-off", node="web1")),
    "it was off earlier": (INCONCLUSIVE, "two-writable", NONE, hidden("power-off", start=1, seconds=4)),
    "PHP was slow": (INCONCLUSIVE, "two-writable", NONE, hidden("php-limit")),
    "MySQL was killed": (PASS, "two-writable", NONE, hidden("service-kill", "mysql")),
    "MySQL was frozen": (PASS, "two-writable", NONE, hidden("service-freeze", "mysql")),
    "nginx was stopped": (INCONCLUSIVE, "two-writable", NONE, hidden("service-stop", "nginx")),
}
FOUR, EIGHT = {"at_most": 4}, {"at_most": 8}
BALANCER: dict[str, Case] = {
    "nobody is DOWN": (PASS, "false-downs", NONE, quiet(30)),
    "DOWN for a reason": (PASS, "false-downs", NONE, switched_off()),
    "DOWN for none": (FAIL, "false-downs", NONE, quiet(30, (8, 12))),
    "DOWN before the reason": (FAIL, "false-downs", NONE, switched_off(down=(3, 18))),
    "the other one is DOWN": (FAIL, "false-downs", NONE, looked(switched_off(), 9, 11, web1="DOWN", web2="DOWN")),
    "DOWN once more": (FAIL, "false-downs", NONE, looked(switched_off(), 25, 28, web1="DOWN")),
    "nobody asked HAProxy": (INCONCLUSIVE, "false-downs", NONE, without(quiet(), of("balancer", 8, 15))),
    "noticed after three seconds": (PASS, "detected", FOUR, switched_off()),
    "noticed after five seconds": (FAIL, "detected", FOUR, switched_off(down=(10, 18))),
    "never noticed": (FAIL, "detected", FOUR, switched_off(down=(0, 0))),
    "nothing to notice": (INCONCLUSIVE, "detected", FOUR, quiet()),
    "nobody asked when it began": (INCONCLUSIVE, "detected", FOUR, without(switched_off(), of("balancer", 4.9, 11))),
    "it was DOWN before": (INCONCLUSIVE, "detected", FOUR, switched_off(down=(3, 18))),
    "back after six seconds": (PASS, "recovered", EIGHT, switched_off()),
    "back after ten seconds": (FAIL, "recovered", EIGHT, switched_off(down=(8, 22))),
    "back, but idle": (FAIL, "recovered", EIGHT, changed(switched_off(), sent("", 16, 25), served_by="web2")),
    "back, but never used": (INCONCLUSIVE, "recovered", EIGHT, changed(switched_off(), sent("", 16), served_by="web2")),
    "never switched on": (INCONCLUSIVE, "recovered", EIGHT, [*quiet(30, (8, 99)), *spell([5, 5.5])]),
}
MOST, USUAL, HALF, ONE, THREE = {"at_least": 0.8}, {"at_least": 0.98}, {"at_least": 0.5}, {"at_most": 1}, {"at_most": 3}
CROWD: dict[str, Case] = {
    "all are answered": (PASS, "goodput", MOST, crowd()),
    "as many as possible are": (PASS, "goodput", MOST, refused(1)),
    "fewer than before are": (FAIL, "goodput", MOST, changed(crowd(), sent("GET", 5, 10), **DOWN)),
    "all are, but too late": (FAIL, "goodput", MOST, slower(crowd(), sent("", 5, 10), 3.5)),
    "no crowd came": (INCONCLUSIVE, "goodput", MOST, quiet()),
    "the load had no processor": (INCONCLUSIVE, "goodput", MOST, changed(crowd(), kind("generator"), **BUSY)),
    "answers are quick": (PASS, "answer-time", ONE, crowd()),
    "answers are slow": (FAIL, "answer-time", ONE, slower(crowd(), sent("GET", 5, 10), 2)),
    "writes are slow": (PASS, "answer-time", ONE, slower(crowd(), sent("POST", 5, 10), 2)),
    "slow for nobody": (INCONCLUSIVE, "answer-time", ONE, slower(quiet(), sent("GET", 5, 10), 2)),
    "refused soon": (PASS, "refusal-time", THREE, refused(2)),
    "refused late": (FAIL, "refusal-time", THREE, refused(4)),
    "refused late by the site": (PASS, "refusal-time", THREE, refused(4, "web1")),
    "nobody was there": (INCONCLUSIVE, "refusal-time", THREE, without(crowd(), of("client"))),
    "each got a word": (PASS, "unanswered", NONE, refused(2)),
    "one read got none": (FAIL, "unanswered", NONE, [*crowd(), failed(7, status=0, ended=None)]),
    "one write got none": (FAIL, "unanswered", NONE, [*crowd(), UNKNOWN]),
    "nobody knows": (INCONCLUSIVE, "unanswered", NONE, without(crowd(), HIDDEN)),
    "as before after a second": (PASS, "crowd-recovery", THREE, [*crowd(), failed(11)]),
    "as before after four": (FAIL, "crowd-recovery", THREE, [*crowd(), failed(14)]),
    "not as before": (INCONCLUSIVE, "crowd-recovery", {"at_most": 30}, [*crowd(), failed(19.99)]),
    "as many writes": (PASS, "crowd-writes", HALF, crowd()),
    "fewer writes": (FAIL, "crowd-writes", HALF, changed(crowd(), sent("POST", 6, 10), **DOWN)),
    "no write before": (INCONCLUSIVE, "crowd-writes", HALF, without(crowd(), sent("POST", -9, 5))),
    "all were sent": (PASS, "arrival-rate", USUAL, crowd()),
    "the crowd was not": (FAIL, "arrival-rate", USUAL, quiet(load=LOAD)),
    "killed": (INCONCLUSIVE, "arrival-rate", USUAL, without(quiet(), kind("end"))),
    "no rate is known": (INCONCLUSIVE, "arrival-rate", USUAL, quiet(load={})),
}
CASES = {**READS, **WRITES, **DATABASES, **BALANCER, **CROWD}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_verdict_is_the_one_that_the_words_ask_for(case: Case) -> None:
    """Each timeline gets the verdict that a user expects from the check's description."""
    expected, check, bound, entries = case
    (judged,) = judge(History(entries), [{"check": check, **bound}])
    assert judged.verdict == expected, judged


@pytest.mark.parametrize("check", sorted({check for _, check, _, _ in CASES.values()}))
def test_each_check_has_failed_and_passed_and_proved_nothing(check: str) -> None:
    """These timelines bring every check to all three verdicts."""
    assert {it for it, name, _, _ in CASES.values() if name == check} == {FAIL, PASS, INCONCLUSIVE}
