"""docs/interface.md says what the code writes: key for key."""

import re
from typing import Any

import pytest

from lab import topology
from lab.analysis.judgement import Judgement
from lab.exercises import text
from lab.exercises.exercise_file import CHECK
from lab.exercises.goals import judge
from lab.experiment import observers
from lab.faults import ledger
from lab.faults.kinds import Fault
from lab.nodes import site, vm_power
from lab.nodes.facts import NodeFacts, Server
from lab.operations import status
from lab.report import scale, spof
from tests.support.documented import examples, kinds, shape
from tests.support.exercise_stories import exercise, injected, measurement, untouched
from tests.support.pairs import PROMOTED
from tests.support.scale_stories import measured
from tests.support.spof_stories import result
from tests.support.timelines import switched_off

LAB = topology.load()
SERVICES = ("nginx", "php8.4-fpm", "mysql")


def without_names(it: Any) -> Any:
    """Services are named after what runs, not after the document."""
    return {**it, "nodes": [{**node, "services": None} for node in it["nodes"]]}


def test_the_status_is_the_documented_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a fault and something wrong."""
    fault = Fault("freeze", "web2")
    known = {"lb1": NodeFacts({}, [Server("web", "web1", "UP", 100, "L7OK")], None)}
    known["web2"] = NodeFacts(dict.fromkeys(SERVICES, "active"), None, PROMOTED)
    monkeypatch.setattr(vm_power, "states", lambda lab: dict.fromkeys(("lb1", "web1", "web2"), "running"))
    monkeypatch.setattr(site, "healthy", lambda _: True)
    monkeypatch.setattr(status, "_ask", lambda *_: known)
    monkeypatch.setattr(ledger, "entries", lambda: [{**fault.as_data(), "injected_at": 1.0}])
    found = status.collect(LAB)
    promised = examples()["invoke lab.status --json"]
    assert found["errors"] and shape(without_names(found)) == shape(without_names(promised))


def test_the_summary_is_the_documented_one() -> None:
    """Of a run with a fault."""
    entries = switched_off()
    expect = [{"check": "failed-gets", "at_most": 0}]
    assert shape(Judgement.of(entries, expect).summary) == shape(examples()["summary.json"])


RECORDS = re.compile(r"""\b(?:(?:self|it)\.record|report)\("([a-z-]+)\"""")
ENTRIES = re.compile(r"""Entry\([^"]*"([a-z]+)", "([a-z]+)\"""")


def test_the_check_of_an_exercise_is_the_documented_one() -> None:
    """Of a student who killed a server that is not back."""
    done = exercise("03")
    facts = untouched(runs=[measurement(*injected())])
    data = text.as_data(done, judge(done.goals, done.module(CHECK).GOALS, facts, {}), ["web1: nginx is inactive"])
    assert shape(data) == shape(examples()["invoke exercise.check --json"])


def test_the_single_points_of_failure_are_the_documented_ones() -> None:
    """With a prediction."""
    data = spof.as_data(LAB, {"web1": result("web1", ["writes"], predicted=["writes"])})
    assert shape(data) == shape(examples()["invoke experiment.spof --json"])


def test_the_rising_load_is_the_documented_one() -> None:
    """Of one number of servers."""
    assert shape(scale.as_data([measured(1)])) == shape(examples()["invoke experiment.scale --json"])


def written() -> set[tuple[str, str]]:
    """Whatever the code can write on a timeline, by observer and kind."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in (topology.ROOT / "lab").rglob("*.py"))
    names = {observer.name for observer in observers.observers(LAB)}
    watched = {*observers.KINDS.items(), *((observer, "blind") for observer in names)}
    return {*ENTRIES.findall(code), *(("lab", kind) for kind in RECORDS.findall(code)), *watched, ("client", "request")}


def test_all_that_a_timeline_can_say_is_documented_and_nothing_else() -> None:
    """Read off the code that writes it; the live tests compare the keys."""
    assert written() == set(kinds())


def test_the_example_adds_up() -> None:
    """A reader may compare its numbers."""
    promised = examples()["summary.json"]
    requests, reads = promised["requests"]["GET"], promised["reads"]["whole"]
    assert requests["ok"] + requests["failed"] == reads["requests"]
    assert round(1 - 0.05 ** (1 / reads["injections"]), 6) == reads["share_below"]
    assert promised["writes"]["acknowledged"] == promised["requests"]["POST"]["ok"]
