"""Exercise 03: any way to kill a web server under load passes, and what only looks like it does not."""

from typing import Any

import pytest

from lab.analysis.history import History
from lab.exercises.facts import Facts, Run
from tests.support.exercise_stories import (
    exercise,
    injected,
    log,
    looks,
    measurement,
    reached,
    reads,
    results,
    status,
    untouched,
)

EXERCISE = exercise("03")
GOALS = {goal.id for goal in EXERCISE.goals}
MEASURED = {"measured", "failed", "noticed", "why"}
SAID = {"failed": "0", "noticed": "2.5", "why": "retry"}
BY_FAULT = measurement(*injected())
BY_HAND = measurement(*looks("nginx", 10, 35))
LOAD_ONLY = Run("mine", History(list(reads(died=10, up=40))))
OFF = measurement(*injected("power-off", ""))


def done(*runs: Run, **changes: Any) -> Facts:
    """What a student has who did all and answered right."""
    return untouched(**{"runs": runs, "answers": SAID, **changes})


@pytest.mark.parametrize(
    "facts",
    [
        done(BY_FAULT),
        done(BY_HAND),
        done(LOAD_ONLY, changes=log()),
        done(OFF),
        done(measurement(*looks("php8.4-fpm", 10, 35))),
        done(BY_FAULT, measurement(word="DRAIN")),
    ],
    ids=["experiment", "by hand under control", "fault and load alone", "power off", "php", "after a failed try"],
)
def test_any_right_way_passes(facts: Facts) -> None:
    """However the server died, and whatever recorded it."""
    assert reached(EXERCISE, facts) == GOALS


def test_every_goal_fails_on_the_untouched_lab() -> None:
    """Also what is true of a healthy lab: nothing has died that could be back."""
    assert reached(EXERCISE, untouched()) == set()
    assert reached(EXERCISE, untouched(answers=SAID)) == set()


@pytest.mark.parametrize(
    ("facts", "lacks", "words"),
    [
        (done(measurement(word="DRAIN")), GOALS, "by a command"),
        (done(measurement(word="MAINT")), GOALS, "by a command"),
        (done(measurement(*looks("mysql", 10, 35))), GOALS, "MySQL"),
        (done(changes=log()), MEASURED, "nothing was recorded"),
        (done(changes=log(reason="Layer7 wrong status, code: 503")), GOALS, "MySQL"),
        (done(measurement(*injected(), rate=0), changes=log()), MEASURED, "needed"),
        (done(measurement(*injected(at=0.2), died=0.2, down=2)), MEASURED, "needed"),
        (done(measurement(word="UP")), GOALS, "no web server went DOWN"),
    ],
    ids=[
        "drained",
        "maintenance",
        "MySQL",
        "no load",
        "MySQL by hand",
        "no reads",
        "load began too late",
        "nothing died",
    ],
)
def test_what_only_looks_like_it_is_told_apart(facts: Facts, lacks: set[str], words: str) -> None:
    """With the reason."""
    found = results(EXERCISE, facts)
    assert {name for name, it in found.items() if not it.right} == lacks
    assert words in " ".join(it.why for it in found.values())


def test_two_dead_servers_are_no_server_left() -> None:
    """Both DOWN at the same time."""
    both = [*log(), *(type(it)(it.at + 1, "web2", it.status, it.reason) for it in log())]
    found = results(EXERCISE, done(LOAD_ONLY, changes=sorted(both, key=lambda it: it.at)))
    assert not found["killed"].right and "no web server was left" in found["killed"].why


@pytest.mark.parametrize(
    ("goal", "value"),
    [
        ("failed", "12"),
        ("failed", "1"),
        ("noticed", "0.5"),
        ("noticed", "10"),
        ("noticed", "27.5"),
        ("why", "dns"),
        ("why", "health-check"),
        ("why", "replica"),
        ("why", "browser"),
    ],
)
def test_a_wrong_answer_is_named_and_the_right_one_is_not_told(goal: str, value: str) -> None:
    """The others stay right."""
    found = results(EXERCISE, done(BY_FAULT, answers={**SAID, goal: value}))
    assert {name for name, it in found.items() if not it.right} == {goal}
    assert found[goal].see and SAID[goal] not in found[goal].why.replace(value, "")


def test_failed_reads_are_counted_in_the_students_own_measurement() -> None:
    """Another run has another number."""
    some = measurement(*injected(), failed=4)
    assert "failed" in reached(EXERCISE, done(some, answers={**SAID, "failed": "4"}))
    assert "failed" not in reached(EXERCISE, done(some))


def test_a_server_that_is_still_dead_is_not_back() -> None:
    """The rest is reached once and for all."""
    found = results(EXERCISE, done(BY_FAULT, status=status(web1="DOWN")))
    assert {name for name, it in found.items() if not it.right} == {"back"}


def test_the_predictions_are_measured() -> None:
    """In the newest measurement; empty without one."""
    measured = EXERCISE.module("check.py").MEASURED
    assert {name: it(done(measurement(*injected(), failed=9))) for name, it in measured.items()} == {
        "failed": "5",
        "noticed": "2.5 s",
    }
    assert {it(untouched()) for it in measured.values()} == {""}
