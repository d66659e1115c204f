"""kill -9 of an experiment: what the user chose holds again with the next command. The lab is a double."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

import fabfile
from commands import experiment
from commands.command import command
from lab.desired.target import Roles
from lab.durability import Durability
from lab.experiment import own_choices, runner
from lab.operations import converge
from lab.operations.converge import Outcome
from lab.state import choices, lock
from lab.state.choices import Choices
from lab.topology import Lab
from tests.unit.conftest import Stored

CHOSEN = {"durability": "async", "algorithm": "leastconn"}
MESSAGE = "an experiment was killed: the next converge restores your choices (algorithm leastconn, durability async)"
Run = Callable[[Callable[[], None]], None]


@command(changes=True)
def change(c: Context) -> None:
    """Any command that changes the lab."""


@pytest.fixture
def run(stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run control, which is durable, up to a moment in its middle, in a process of its own; then wait for its end."""
    held = lock.held
    monkeypatch.setattr(lock, "held", lambda: held(tmp_path / "lock"))
    monkeypatch.setattr(converge, "everything", lambda *_, **__: Outcome([], {}, []))

    def play(moment: Callable[[], None]) -> None:
        @contextmanager
        def middle(lab: Lab, it: object, roles: Roles, rounds: int) -> Iterator[Path]:
            own_choices.apply(lab, roles, {"durability": "durable"}, [])
            moment()
            yield tmp_path

        monkeypatch.setattr(runner, "run", middle)
        monkeypatch.setattr(experiment, "_report", lambda _: 0)
        process = multiprocessing.get_context("fork").Process(target=_quietly)
        process.start()
        process.join(30)

    return play


def _quietly() -> None:
    """In a process of its own, whose exit nobody shows."""
    with pytest.raises(Exit):
        experiment.run(Context(), "control")


def killed() -> None:
    """kill -9."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_the_user_chose_comes_back_after_a_kill(run: Run, stored: Stored, capsys: Any) -> None:
    """The killed experiment's own choice stands until any changing command begins, which says so, once."""
    choices.save(**CHOSEN)
    run(killed)
    assert choices.load() == Choices(algorithm="leastconn", durability=Durability.DURABLE)
    for count in (1, 0):
        change(Context())
        assert capsys.readouterr().err.count(MESSAGE) == count
        assert stored() == CHOSEN


def test_the_roles_alone_bring_it_back_too(
    run: Run, stored: Stored, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """`fab database` is a converge: it would make the killed experiment's durability that of the primary."""
    choices.save(**CHOSEN)
    run(killed)
    monkeypatch.setattr(fabfile, "everything", lambda *_, **__: Outcome([], {}, []))
    fabfile.ns["database"].body(Context())
    assert MESSAGE in capsys.readouterr().err and stored() == CHOSEN


def test_an_experiment_after_a_kill_ends_with_what_the_user_chose(run: Run, stored: Stored) -> None:
    """The second one takes nothing of the first for the user's; a normal end leaves nothing aside."""
    choices.save(**CHOSEN)
    run(killed)
    run(lambda: None)
    assert stored() == CHOSEN and not choices.ASIDE.exists()


def test_a_command_of_the_experiment_itself_leaves_its_choices(
    run: Run, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a part of an experiment that runs: nobody was killed."""

    def part() -> None:
        monkeypatch.setenv(lock.HOLDER, str(os.getpid()))
        change(Context())
        killed()

    choices.save(**CHOSEN)
    run(part)
    assert choices.load().durability == "durable" and choices.ASIDE.exists()
