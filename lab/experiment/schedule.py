"""The schedule of an experiment: its steps at their times, or repeated faults at moments drawn by a seed."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from lab import clock
from lab.errors import TimedOut
from lab.faults.kinds import KINDS
from lab.plan.experiment_file import Step
from lab.wait import pause, until

TICK_S = 0.05
LONGEST_S = 720.0  # healing can switch a machine off and on, wait 240 s until it answers and 240 s for its services


def play(
    steps: Sequence[Step],
    zero: float,
    end: float,
    do: Callable[[Step], None],
    going: Callable[[], None],
    give_up: Callable[[], None],
) -> None:
    """Do each step at its time after `zero` (Unix seconds), in its own thread because healing takes long.

    A step waits for the earlier steps that it depends on (`_waits`), so on a slow machine it may come late. Returns
    after `end`, when all steps are done. Raises what a step or `going`, which is called all the time, raises, and
    TimedOut if a step takes longer than LONGEST_S. Always waits for steps that have begun: the healing that follows
    must not run beside them. If it ends early, it first calls `give_up`, which shortens running steps.
    """
    in_progress = _InProgress(do)
    try:
        _begin(in_progress, list(steps), zero, end, going)
        in_progress.finish()
    except BaseException:
        in_progress.ended.set()
        give_up()
        with suppress(TimedOut):  # report the first error
            in_progress.finish()
        raise
    if in_progress.trouble:
        raise in_progress.trouble[0]


def moments(rounds: int, seed: int, width_s: float) -> Iterator[float]:
    """For each round, the wait before it: a random offset within the check interval."""
    draw = random.Random(seed)
    for _ in range(rounds):
        yield draw.uniform(0, width_s)


class _InProgress:
    """The steps that have begun, and their errors."""

    def __init__(self, do: Callable[[Step], None]) -> None:
        self.do = do
        self.trouble: list[Exception] = []
        self.ended = threading.Event()  # nothing more may begin
        self._begun: list[tuple[Step, threading.Thread]] = []
        self._deadline = 0.0

    def begin(self, step: Step) -> None:
        name = step.command or f"{step.action} {step.fault.id if step.fault else ''}"
        meets = any(_passes(earlier) for earlier, _ in self._begun)
        before = [thread for earlier, thread in self._begun if meets or _waits(step, earlier)]
        thread = threading.Thread(target=self._one, args=(step, before), name=name, daemon=True)
        self._begun.append((step, thread))
        self._deadline = time.monotonic() + LONGEST_S
        thread.start()

    def finish(self) -> None:
        """Wait until all are done."""
        until(
            "every step is done",
            lambda: not self._left() or time.monotonic() > self._deadline,
            LONGEST_S * (1 + len(self._begun)),
            every=TICK_S,
        )
        if self._left():
            raise TimedOut(
                f"every step is done: not within {LONGEST_S:g} s",
                evidence="\n".join(self._left()),
                hint="see what is broken: invoke fault.list",
            )

    def _left(self) -> list[str]:
        return [thread.name for _, thread in self._begun if thread.is_alive()]

    def _one(self, step: Step, before: Sequence[threading.Thread]) -> None:
        for thread in before:
            thread.join()
        self._deadline = time.monotonic() + LONGEST_S
        if self.ended.is_set() or self.trouble:
            return
        try:
            self.do(step)
        except Exception as error:  # otherwise any error would be lost with the thread
            self.trouble.append(error)


def _waits(step: Step, earlier: Step) -> bool:
    """Whether a step begins only after an earlier one has ended.

    A slow injection must be complete before its fault is healed, and a node must be healthy before its next fault.
    A command waits for all steps before it, and later steps wait for a command unless they have `during_command`.
    """
    if "command" in (step.action, earlier.action):
        return not step.during_command
    return bool(step.fault and earlier.fault and step.fault.node == earlier.fault.node)


def _passes(earlier: Step) -> bool:
    """Whether a step injected a fault that passes by itself: then all later steps run in order, while it is there."""
    return bool(earlier.action == "inject" and earlier.fault and KINDS[earlier.fault.kind].passes)


def _begin(in_progress: _InProgress, waiting: list[Step], zero: float, end: float, going: Callable[[], None]) -> None:
    """Begin every step that is due until `end`, or until a step has failed."""
    while not in_progress.trouble:
        now = clock.now()
        going()
        while waiting and now >= zero + waiting[0].at:
            in_progress.begin(waiting.pop(0))
        if now >= end:
            return
        pause(TICK_S)
