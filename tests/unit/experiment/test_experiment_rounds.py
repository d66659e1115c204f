"""invoke experiment.run --rounds is refused before anything runs if a round would leave out a step."""

from collections.abc import Callable
from contextlib import nullcontext

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from commands import experiment
from lab.experiment import own_choices, runner
from lab.state import lock


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], str]:
    """The message about an experiment in a number of rounds; '' if it would run."""
    monkeypatch.setattr(lock, "held", lambda: nullcontext(False))
    monkeypatch.setattr(own_choices, "in_force", lambda *_: nullcontext())
    monkeypatch.setattr(runner, "run", lambda *_: nullcontext())
    monkeypatch.setattr(experiment, "_report", lambda _: 0)

    def run(name: str, rounds: int) -> str:
        with pytest.raises(Exit) as ended:
            experiment.run(Context(), name, rounds=rounds)
        assert ended.value.code == (2 if ended.value.message else 0)
        return ended.value.message or ""

    return run


def test_a_round_has_no_commands(refused: Callable[[str, int], str]) -> None:
    """A round would leave out the promotion of a story."""
    message = refused("web1-power-off-promote", 3)
    assert "web1-power-off-promote tells a story, which is run as it is written: a round has no commands" in message
    assert "invoke experiment.run web1-power-off-promote" in message


def test_all_that_is_wrong_is_said_at_once(refused: Callable[[str, int], str]) -> None:
    """The experiment control has no fault."""
    message = refused("control", -1)
    assert "--rounds -1: at least one" in message and "control has no fault that could be injected again" in message


@pytest.mark.parametrize(("name", "rounds"), [("web2-freeze", 3), ("web2-freeze", 0), ("planned-switch", 0)])
def test_faults_are_repeated_and_stories_told(refused: Callable[[str, int], str], name: str, rounds: int) -> None:
    """With rounds the faults are repeated; without rounds a story runs as written."""
    assert refused(name, rounds) == ""
