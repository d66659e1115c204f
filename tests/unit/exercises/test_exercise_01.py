"""Exercise 01: right answers in several forms pass, the usual wrong ones do not, and none is given away."""

import pytest

from lab.exercises.facts import Page
from tests.support.exercise_stories import PAGES, exercise, reached, results, status, untouched

EXERCISE = exercise("01")
GOALS = {goal.id for goal in EXERCISE.goals}
RIGHT = {
    "address": "192.168.56.10",
    "servers": "web1,web2",
    "pair": "web2:web2",
    "writes": "web1",
    "path": "dnsmasq,haproxy,nginx,php-fpm,mysql",
}
PROMOTED = (Page(200, "web2", "web2"), Page(200, "web1", "web1"))
STICKY = (Page(200, "web2", "web2"),) * 4


def test_every_goal_fails_on_the_untouched_lab() -> None:
    """Nobody has said anything."""
    assert reached(EXERCISE, untouched()) == set()


@pytest.mark.parametrize(
    ("answers", "changes"),
    [
        (RIGHT, {}),
        ({**RIGHT, "servers": "web2,web1,web2,web1", "pair": "web1:web1", "path": "dns,balancer,webserver,php,db"}, {}),
        ({**RIGHT, "writes": "web2"}, {"status": status(primary="web2"), "pages": PROMOTED}),
        ({**RIGHT, "servers": "web2"}, {"pages": STICKY}),
    ],
    ids=["as the solution", "other words for the same", "after a promotion", "all requests to one server"],
)
def test_any_right_way_passes(answers: dict[str, str], changes: dict[str, object]) -> None:
    """What is right is what this lab does now."""
    assert reached(EXERCISE, untouched(answers=answers, **changes)) == GOALS


@pytest.mark.parametrize(
    ("goal", "value"),
    [
        ("address", "192.168.56.11"),
        ("address", "127.0.0.1"),
        ("address", "203.0.113.7"),
        ("servers", "web1"),
        ("servers", "lb1"),
        ("servers", "web1,web2,web3"),
        ("pair", "web2:web1"),
        ("pair", "lb1:web1"),
        ("pair", "web2"),
        ("writes", "web2"),
        ("writes", "lb1"),
        ("writes", "both"),
        ("path", "haproxy,dnsmasq,nginx,php-fpm,mysql"),
        ("path", "dnsmasq,haproxy,nginx,mysql"),
        ("path", "dnsmasq,nginx,haproxy,php-fpm,mysql"),
        ("path", "dnsmasq,haproxy,apache,php-fpm,mysql"),
        ("path", "dnsmasq,haproxy,nginx,php-fpm,mysql,mysql"),
    ],
)
def test_a_wrong_answer_is_named_and_the_right_one_is_not_told(goal: str, value: str) -> None:
    """The others stay right."""
    found = results(EXERCISE, untouched(answers={**RIGHT, goal: value}))
    assert {name for name, it in found.items() if not it.right} == {goal}
    assert found[goal].why and found[goal].see
    assert RIGHT[goal] not in found[goal].why.replace(value, "")


def test_a_lab_that_does_not_answer_makes_no_answer_right() -> None:
    """Nothing can be judged by it."""
    down = untouched(answers=RIGHT, status=status(primary=None), address="", pages=())
    assert reached(EXERCISE, down) == {"path"}


def test_the_predictions_are_measured() -> None:
    """By the answers of the site."""
    measured = {name: it(untouched()) for name, it in EXERCISE.module("check.py").MEASURED.items()}
    assert measured == {"same": "different", "machines": "2 (lb1, web1)"}
    assert PAGES[0].served_by == "web1"
