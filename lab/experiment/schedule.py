"""When an experiment does what: its steps at their times, or its faults again and again at moments drawn by a seed."""

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
LONGEST_S = 720.0  # healing switches a machine off and on, waits 240 s until it answers and 240 s for its services


def play(
    steps: Sequence[Step],
    zero: float,
    end: float,
    do: Callable[[Step], None],
    going: Callable[[], None],
    give_up: Callable[[], None],
) -> None:
    """Do each step at its time after `zero` (Unix seconds), in a thread of its own: healing takes long.

    A step waits for the steps before it that it needs (`_waits`), so on a slow machine it may be later than its time.
    Returns after `end`, when all are done; raises what a step or `going`, asked all the time, raised, and TimedOut
    where a step is not done LONGEST_S after it began. However it ends, what has begun is waited for: whoever heals
    next must not do so beside it. Where it ends early, `give_up` is called before, to shorten what can be.
    """
    in_progress = _InProgress(do)
    try:
        _begin(in_progress, list(steps), zero, end, going)
        in_progress.finish()
    except BaseException:
        in_progress.ended.set()
        give_up()
        with suppress(TimedOut):  # what came first is to be told
            in_progress.finish()
        raise
    if in_progress.trouble:
        raise in_progress.trouble[0]


def moments(rounds: int, seed: int, width_s: float) -> Iterator[float]:
    """For each round, how long to wait before it: a moment of the check interval that no beat of the lab chooses."""
    draw = random.Random(seed)
    for _ in range(rounds):
        yield draw.uniform(0, width_s)


class _InProgress:
    """The steps that have begun, and what went wrong in them."""

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
        except Exception as error:  # whatever it was, it would be lost with the thread
            self.trouble.append(error)


def _waits(step: Step, earlier: Step) -> bool:
    """Whether a step begins only after an earlier one has ended.

    A fault that takes a while to come must be there before it is healed, and a node must be healthy before its next
    fault. A command waits for all that was done before it, and what comes after a command waits for it, unless that
    says `during_command`.
    """
    if "command" in (step.action, earlier.action):
        return not step.during_command
    return bool(step.fault and earlier.fault and step.fault.node == earlier.fault.node)


def _passes(earlier: Step) -> bool:
    """Whether what comes after a step is to meet what it injected before that has passed: then all is in order."""
    return bool(earlier.action == "inject" and earlier.fault and KINDS[earlier.fault.kind].passes)


def _begin(in_progress: _InProgress, waiting: list[Step], zero: float, end: float, going: Callable[[], None]) -> None:
    """Begin every step that is due until `end`, or until one of them has gone wrong."""
    while not in_progress.trouble:
        now = clock.now()
        going()
        while waiting and now >= zero + waiting[0].at:
            in_progress.begin(waiting.pop(0))
        if now >= end:
            return
        pause(TICK_S)
