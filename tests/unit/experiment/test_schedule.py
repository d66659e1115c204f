"""The steps of an experiment: each is done at its time, all are waited for, and no error is lost."""

import errno
import threading
import time
from collections.abc import Callable

import pytest

from lab import process
from lab.errors import CheckFailed, GivenUp, InfrastructureBroken, TimedOut
from lab.experiment import schedule
from lab.faults.kinds import Fault
from lab.plan.experiment_file import Step
from lab.wait import pause

FULL = OSError(errno.ENOSPC, "No space left on device")
OFF = Fault("power-off", "web1")


def nothing() -> None:
    """`going` and `give_up` that do nothing."""


def play(
    steps: list[Step],
    do: Callable[[Step], None],
    lasts_s: float = 0.2,
    going: Callable[[], None] = nothing,
    give_up: Callable[[], None] = nothing,
) -> None:
    """Play steps from now on."""
    now = time.time()
    schedule.play(steps, now, now + lasts_s, do, going, give_up)


def commands(*times: float) -> list[Step]:
    """A command at each of these times, named by its time."""
    return [Step(at, "command", command=f"at {at:g}") for at in times]


def test_each_step_is_done_at_its_time() -> None:
    """Not earlier, and in order."""
    began, done = time.time(), dict[str, float]()
    play(commands(0, 0.1), lambda step: done.update({step.command: time.time() - began}), 0.3)
    assert list(done) == ["at 0", "at 0.1"]
    assert done["at 0"] < 0.1 <= done["at 0.1"] and time.time() - began >= 0.3


def test_steps_that_are_due_together_are_all_done() -> None:
    """Four at once, also in the last tick: with one per tick the last ones were left out silently."""
    done: list[str] = []
    play(commands(0.19, 0.191, 0.192, 0.193), lambda step: done.append(step.command))
    assert sorted(done) == ["at 0.19", "at 0.191", "at 0.192", "at 0.193"]


def test_a_step_that_takes_longer_than_measuring_is_waited_for() -> None:
    """A running heal is not repeated beside it."""
    done: list[str] = []

    def slow(step: Step) -> None:
        pause(0.4)
        done.append(step.command)

    play(commands(0), slow, 0.1)
    assert done == ["at 0"]


def test_what_is_done_to_a_node_is_done_in_its_order() -> None:
    """A heal before its fault would find nothing, and the fault would stay; other nodes do not wait."""
    done: list[str] = []

    def slow(step: Step) -> None:
        pause(0.3 if step.action == "inject" else 0)
        done.append(f"{step.action} {step.fault.node if step.fault else ''}")

    play([Step(0, "inject", OFF), Step(0.1, "heal", OFF), Step(0.1, "heal", Fault("freeze", "web2"))], slow, 0.2)
    assert done == ["heal web2", "inject web1", "heal web1"]


LARGE, CUT = Fault("large-transaction", "web1"), Fault("partition", "web2", peer="web1")
PROMOTES = Step(0, "command", command="db.promote web2")
HEALS, THAWS = Step(0.1, "heal", OFF), Step(0.1, "heal", OFF, during_command=True)


@pytest.mark.parametrize(
    ("first", "then", "waits"),
    [
        (PROMOTES, HEALS, True),
        (PROMOTES, THAWS, False),
        (PROMOTES, Step(0.1, "inject", OFF), True),
        (PROMOTES, Step(0.1, "command", command="db.promote web2 --salvage"), True),
        (Step(0, "heal", OFF), Step(0.1, "command", command="db.promote web2"), True),
        (Step(0, "inject", OFF), Step(0.1, "command", command="db.promote web2"), True),
        (Step(0, "inject", OFF), Step(0.1, "inject", CUT), False),
    ],
    ids=[
        *("heal", "heal meanwhile", "fault", "command", "command after a heal", "command after a fault"),
        "a fault on another node",
    ],
)
def test_a_step_waits_for_those_that_it_needs(first: Step, then: Step, waits: bool) -> None:
    """A heal during a salvage failed a run, a promotion came before the primary's end, a cut before its transaction."""
    ended: list[Step] = []

    def slow(step: Step) -> None:
        pause(0.3 if step is first else 0)
        ended.append(step)

    play([first, then], slow, 0.2)
    assert ended == ([first, then] if waits else [then, first])


def test_what_is_to_meet_a_transaction_comes_in_its_order() -> None:
    """The network is cut while the transaction is sent, then the primary dies: on a slow machine it died first."""
    order = [Step(0, "inject", LARGE), Step(0.1, "inject", CUT), Step(0.2, "inject", OFF)]
    begun: list[Step] = []

    def slow(step: Step) -> None:
        begun.append(step)
        pause(0.6 if step.fault == LARGE else 0.2)
        begun.append(step)

    play(order, slow, 0.3)
    assert begun == [it for step in order for it in (step, step)]


def test_what_waits_for_another_step_does_not_begin_after_the_end() -> None:
    """Ctrl-C while a fault is injected: the next one on the same node must not be injected during the healing."""
    done: list[Step] = []
    steps = [Step(0, "inject", OFF), Step(0, "inject", Fault("slow", "web1"))]

    def slow(step: Step) -> None:
        done.append(step)
        pause(0.3)

    def going() -> None:
        if done:
            raise InfrastructureBroken("the load ended")

    with pytest.raises(InfrastructureBroken, match="the load ended"):
        play(steps, slow, 30, going)
    assert done == steps[:1]


def test_a_step_that_never_ends_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its name: the run does not continue as if it were done."""
    monkeypatch.setattr(schedule, "LONGEST_S", 0.2)
    leave = threading.Event()

    def hangs(step: Step) -> None:
        leave.wait(10)

    with pytest.raises(TimedOut, match="every step is done: not within") as caught:
        play([Step(0, "heal", OFF)], hangs, 0.1)
    leave.set()
    assert "heal web1-power-off" in caught.value.evidence


@pytest.mark.parametrize("error", [FULL, CheckFailed("no"), KeyError("x")], ids=["full disk", "refused", "a mistake"])
def test_whatever_a_step_raises_is_raised_here(error: Exception) -> None:
    """An error in a thread would be lost; it ends the measurement, which is no longer valid."""

    def fails(step: Step) -> None:
        raise error

    began = time.time()
    with pytest.raises(type(error)) as caught:
        play(commands(0), fails, 30)
    assert caught.value is error and time.time() - began < 5


def test_when_the_load_ends_what_has_begun_is_waited_for() -> None:
    """An injection that still runs during the healing would leave its fault."""
    done: list[str] = []
    begun = threading.Event()

    def slow(step: Step) -> None:
        begun.set()
        pause(0.3)
        done.append(step.command)

    def going() -> None:
        if begun.is_set():
            raise InfrastructureBroken("the load ended")

    with pytest.raises(InfrastructureBroken, match="the load ended"):
        play(commands(0), slow, 30, going)
    assert done == ["at 0"]


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), InfrastructureBroken("the load ended")], ids=["^C", "the load ended"]
)
def test_a_command_is_ended_before_anybody_heals(error: BaseException) -> None:
    """A promotion has its own session, so Ctrl-C does not reach it: it must not run during the healing."""
    given_up, begun = threading.Event(), threading.Event()
    ends: list[Exception] = []

    def command(step: Step) -> None:
        begun.set()
        try:
            process.run(["sleep", "60"], timeout=50, give_up=given_up.is_set)
        except GivenUp as ended:
            ends.append(ended)
            raise

    def going() -> None:
        if begun.is_set():
            raise error

    began = time.time()
    with pytest.raises(type(error)):
        play(commands(0), command, 30, going, given_up.set)
    assert len(ends) == 1 and time.time() - began < 20


def test_a_run_that_ends_in_time_gives_nothing_up() -> None:
    """A promotion that takes longer than the measurement runs to its end."""
    given_up = threading.Event()
    play(commands(0), lambda step: pause(0.3), 0.1, give_up=given_up.set)
    assert not given_up.is_set()
