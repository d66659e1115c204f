"""invoke lb.*: what each command chooses, and what it refuses before anything changes."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.parser import Parser
from invoke.parser.context import ParserContext

from commands import lb
from lab.errors import CheckFailed
from lab.nodes.haproxy import BalancerNow
from lab.operations import balancing
from lab.state import choices, lock
from tests.unit.conftest import Stored

Typed = Callable[..., dict[str, Any]]
NOW = BalancerNow(0, "roundrobin", "", ())


@pytest.fixture
def typed(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """What a command line chooses: the choices that differ from the defaults afterwards."""

    def change(lab: Any, roles: Any, machine: Any, named: str = "", **wanted: Any) -> BalancerNow:
        choices.save(**wanted)
        return NOW

    def last(machine: Any, name: str) -> None:
        if name == "web1":
            raise CheckFailed("web1 is the last server that takes requests")

    monkeypatch.setattr(balancing, "change", change)
    monkeypatch.setattr(balancing, "must_serve", last)
    monkeypatch.setattr(balancing, "machine_of", lambda lab: None)
    monkeypatch.setattr(lock, "held", lambda: nullcontext(False))

    def run(name: str, *words: str) -> dict[str, Any]:
        task = lb.commands[name]
        (parsed,) = Parser([ParserContext(name, args=task.get_arguments())]).parse_argv([name, *words])
        task(Context(), **{arg.name: arg.value for arg in parsed.args.values() if arg.got_value})
        return stored()

    return run


CHOSEN: list[tuple[str, dict[str, Any]]] = [
    ("algorithm leastconn", {"algorithm": "leastconn"}),
    ("algorithm random --draws 1", {"algorithm": "random", "draws": 1}),
    ("mode active-passive", {"mode": "active-passive"}),
    ("persistence cookie", {"persistence": "cookie"}),
    ("weight web1 256", {"weights": {"web1": 256}}),
    ("drain web2", {"drained": ["web2"]}),
    ("drain web1 --force", {"drained": ["web1"]}),
]


@pytest.mark.parametrize(("line", "chosen"), CHOSEN, ids=[line for line, _ in CHOSEN])
def test_a_command_makes_its_choice(typed: Typed, line: str, chosen: dict[str, Any]) -> None:
    """And no other."""
    assert typed(*line.split()) == chosen


def test_choices_add_up_and_each_can_be_taken_back(typed: Typed) -> None:
    """A drained server keeps its weight."""
    typed("weight", "web2", "30")
    assert typed("drain", "web2") == {"drained": ["web2"], "weights": {"web2": 30}}
    assert typed("ready", "web2") == {"weights": {"web2": 30}}
    assert typed("weight", "web2", "100") == {}


def test_what_haproxy_does_not_support_together_is_not_kept(typed: Typed, stored: Stored) -> None:
    """In either order."""
    typed("weight", "web1", "50")
    with pytest.raises(Exit) as caught:
        typed("algorithm", "first")
    assert caught.value.code == 2 and "first ignores weights" in str(caught.value)
    assert stored() == {"weights": {"web1": 50}}


REFUSED = [
    ("algorithm round-robin", 2, "did you mean roundrobin?"),
    ("algorithm leastconn --draws 3", 2, "--draws"),
    ("algorithm random --draws 0", 2, "draws: must be at least 1"),
    ("algorithm random --draws two", 2, "draws: must be a whole number"),
    ("algorithm random --draws 101", 2, "draws: must be at most 100"),
    ("mode passive", 2, "active-passive"),
    ("persistence cookies", 2, "did you mean cookie?"),
    ("weight web1 257", 2, "from 1 to 256 (it is '257')"),
    ("weight web1 -1", 2, "from 1 to 256 (it is '-1')"),
    ("weight web1 much", 2, "from 1 to 256 (it is 'much')"),
    ("weight lb1 3", 2, "'lb1' is not a web server; one of: web1, web2"),
    ("drain wbe2", 2, "did you mean web2?"),
    ("ready lb1", 2, "not a web server"),
    ("drain web1", 1, "last server"),
    ("weight web1 0", 2, "invoke lb.drain web1"),
]


@pytest.mark.parametrize(("line", "code", "why"), REFUSED, ids=[line for line, _, _ in REFUSED])
def test_what_cannot_be_chosen_is_refused(typed: Typed, stored: Stored, line: str, code: int, why: str) -> None:
    """With the reason, an exit code that says whose mistake it is, and nothing is changed."""
    with pytest.raises(Exit) as caught:
        typed(*line.split())
    assert caught.value.code == code and why in str(caught.value)
    assert stored() == {}
