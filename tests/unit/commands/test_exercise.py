"""invoke exercise.check, hint, solve and reset, as a student types them. The lab is a double."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from invoke.context import Context
from invoke.parser import Parser

import tasks
from commands import exercise as command
from lab.exercises import progress_file
from tests.support.exercise_doubles import Double, code, installed, message
from tests.support.exercise_stories import NODES, injected, measurement, untouched
from tests.support.exercise_stories import status as status_of

C = Context()
RIGHT = "address=192.168.56.10 servers=web1,web2 pair=web2:web2 writes=web1 path=dns,haproxy,nginx,php,mysql"
SAID = "failed=0 noticed=2.5 why=retry"
Shown = Callable[[], str]


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Double:
    """The lab, and nobody at a terminal."""
    return installed(monkeypatch)


@pytest.fixture
def out(capsys: pytest.CaptureFixture[str]) -> Iterator[Shown]:
    """What a command printed."""
    yield lambda: capsys.readouterr().out


def test_an_exercise_from_start_to_reset(double: Double, out: Shown) -> None:
    """Not yet after the start, right after the solution, not yet again after the reset."""
    assert code(lambda: command.check(C, "03")) == 1
    command.start(C, "3", predict="failed=0 noticed=5")
    assert code(lambda: command.check(C, "")) == 1
    command.solve(C, "")
    assert double.typed == ["experiment.run web2-nginx-kill"]
    assert code(lambda: command.check(C, "")) == 0
    assert "predicted: 5; measured: 2.5 s" in out()
    command.list_(C, json=True)
    assert [it["state"] for it in json.loads(out())] == ["not begun", "done"]
    command.reset(C, "")
    assert double.resets == 1 and code(lambda: command.check(C, "03")) == 1
    command.start(C, "03")
    assert code(lambda: command.check(C, "03")) == 1


def test_answers_are_kept_and_one_may_be_changed(double: Double, out: Shown) -> None:
    """One check after the other."""
    command.start(C, "1")
    assert code(lambda: command.check(C, "1", answer="address=192.168.56.11 writes=WEB1")) == 1
    assert code(lambda: command.check(C, "1", answer=RIGHT)) == 0
    out()
    assert code(lambda: command.check(C, "", json=True)) == 0
    found = json.loads(out())
    assert found["done"] and [it["id"] for it in found["goals"]][:1] == ["address"]


def test_what_was_reached_once_stays_and_what_must_be_true_now_does_not(double: Double, out: Shown) -> None:
    """The server dies again after it was back: its goal is asked anew, the measurement is not."""
    command.start(C, "3")
    double.facts = untouched(runs=[measurement(*injected())])
    assert code(lambda: command.check(C, "3", answer=SAID)) == 0
    out()
    double.status = status_of(web1="DOWN", errors=["web1: nginx is inactive"])
    assert code(lambda: command.check(C, "3")) == 1
    shown = out()
    assert "5 of 6 goals" in shown and "is not now" in shown and "lab.reset" in shown and "nginx is inactive" in shown
    command.list_(C)
    assert "done, not true now" in out()
    double.facts, double.status = untouched(), status_of()
    assert code(lambda: command.check(C, "3")) == 1
    assert "reached earlier" in out()


@pytest.mark.parametrize("answer", ["failed=many", "why=luck", "killed=yes", "failed", "failed=1 failed=2"])
def test_what_is_no_answer_is_refused(double: Double, answer: str) -> None:
    """As wrong input, and nothing is stored."""
    command.start(C, "3")
    assert code(lambda: command.check(C, "3", answer=answer)) == 2
    (attempt,) = progress_file.load().attempts.values()
    assert attempt.answers == {} and attempt.checked is None


def test_every_mistake_of_the_answers_is_named(double: Double) -> None:
    """At once."""
    command.start(C, "3")
    said = message(lambda: command.check(C, "3", answer="failed=many why=retrry killed=1"))
    assert all(words in said for words in ("'many'", "retry?", "'killed' is not asked"))


def test_hints_come_one_after_the_other(double: Double, out: Shown) -> None:
    """For the first goal that is not reached; the last one names the solution."""
    command.start(C, "3")
    out()
    shown = []
    for _ in range(4):
        command.hint(C, "")
        shown.append(out())
    assert [len(re.findall(r"^\d\. ", it, re.M)) for it in shown] == [1, 2, 3, 3]
    assert ["exercise.solve 03" in it for it in shown] == [False, False, True, True]
    double.facts = untouched(runs=[measurement(*injected())])
    code(lambda: command.check(C, ""))
    command.hint(C, "")
    assert "failed" in out()


@pytest.mark.parametrize("call", [command.check, command.hint, command.solve, command.reset], ids=lambda it: it.name)
def test_nothing_started_is_said(double: Double, call: Any) -> None:
    """With the way in."""
    assert "exercise.start" in message(lambda: call(C, ""))
    assert code(lambda: call(C, "")) == 1


def test_another_stage_is_not_judged(double: Double) -> None:
    """What was reached is kept."""
    command.start(C, "3")
    double.status = status_of(stage="secured")
    assert "needs distributed" in message(lambda: command.check(C, ""))


def test_a_lab_that_is_off_is_not_judged(double: Double) -> None:
    """It is not 'not yet', and what was reached is kept."""
    command.start(C, "3")
    double.facts = untouched(runs=[measurement(*injected())])
    assert code(lambda: command.check(C, "", answer=SAID)) == 0
    double.status = status_of(nodes=[{**it, "state": "off"} for it in NODES])
    assert code(lambda: command.check(C, "")) == 3
    double.status = status_of()
    assert code(lambda: command.check(C, "")) == 0


def test_a_command_that_runs_is_named(double: Double, out: Shown) -> None:
    """What it records does not count yet."""
    command.start(C, "3")
    double.status = status_of(running="`invoke experiment.run control` (process 1, for 9 s)")
    assert code(lambda: command.check(C, "")) == 1
    assert "experiment.run control" in out()


def test_a_damaged_file_is_named(double: Double) -> None:
    """As wrong configuration."""
    progress_file.FILE.write_text("{")
    assert code(lambda: command.list_(C)) == 2


@pytest.mark.parametrize(
    ("words", "name"),
    [(["exercise.check"], ""), (["exercise.check", "03"], "03"), (["exercise.reset", "-k"], "")],
)
def test_the_name_may_be_left_out(words: list[str], name: str) -> None:
    """Invoke itself requires every word of a command."""
    (found,) = Parser(contexts=tasks.ns.to_contexts()).parse_argv(words)
    assert found.as_kwargs["name"] == name
