"""kill -9 of an experiment: the next command restores the user's choices. The lab is a double."""

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
    """A command that changes the lab."""


@pytest.fixture
def run(stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the experiment control, which is durable, to its middle in a separate process; then wait for its end."""
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
    """The separate process; its exit is not shown."""
    with pytest.raises(Exit):
        experiment.run(Context(), "control")


def killed() -> None:
    """kill -9."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_the_user_chose_comes_back_after_a_kill(run: Run, stored: Stored, capsys: Any) -> None:
    """The killed experiment's choice is in force until the next changing command begins, which reports that once."""
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
    """`fab database` converges, and would set the killed experiment's durability on the primary."""
    choices.save(**CHOSEN)
    run(killed)
    monkeypatch.setattr(fabfile, "everything", lambda *_, **__: Outcome([], {}, []))
    fabfile.ns["database"].body(Context())
    assert MESSAGE in capsys.readouterr().err and stored() == CHOSEN


def test_an_experiment_after_a_kill_ends_with_what_the_user_chose(run: Run, stored: Stored) -> None:
    """The second does not take the first one's choices for the user's; after a normal end nothing is set aside."""
    choices.save(**CHOSEN)
    run(killed)
    run(lambda: None)
    assert stored() == CHOSEN and not choices.ASIDE.exists()


def test_a_kill_in_the_last_converge_is_told_too(
    run: Run, stored: Stored, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """The choices are restored, but the nodes may still have those of the experiment."""

    def converged(*_: object, **__: object) -> Outcome:
        if choices.load().durability == "async":
            killed()
        return Outcome([], {}, [])

    choices.save(**CHOSEN)
    monkeypatch.setattr(converge, "everything", converged)
    run(lambda: None)
    change(Context())
    assert MESSAGE in capsys.readouterr().err and stored() == CHOSEN and not choices.ASIDE.exists()


def test_a_command_of_the_experiment_itself_leaves_its_choices(
    run: Run, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is part of a running experiment, which was not killed."""

    def part() -> None:
        monkeypatch.setenv(lock.HOLDER, str(os.getpid()))
        change(Context())
        killed()

    choices.save(**CHOSEN)
    run(part)
    assert choices.load().durability == "durable" and choices.ASIDE.exists()
