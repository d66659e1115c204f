"""When an experiment does what: its steps at their times, or its faults again and again at moments drawn by a seed."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from lab.errors import LabError
from lab.plan import Step
from lab.wait import pause

TICK_S = 0.05
LONGEST_S = 300.0


def play(steps: Sequence[Step], zero: float, end: float, do: Callable[[Step], None], going: Callable[[], None]) -> None:
    """Do each step at its time after `zero` (Unix seconds), in a thread of its own: healing takes long.

    Returns at `end`, when all are done; raises what a step or `going`, asked all the time, raised.
    """
    trouble: list[LabError] = []

    def one(step: Step) -> None:
        try:
            do(step)
        except LabError as error:
            trouble.append(error)

    threads = []
    waiting = list(steps)
    while time.time() < end:
        going()
        if waiting and time.time() >= zero + waiting[0].at:
            threads.append(threading.Thread(target=one, args=(waiting.pop(0),), daemon=True))
            threads[-1].start()
        pause(TICK_S)
    for thread in threads:
        thread.join(LONGEST_S)
    if trouble:
        raise trouble[0]


def moments(rounds: int, seed: int, width_s: float) -> Iterator[float]:
    """For each round, how long to wait before it: a moment of the check interval that no beat of the lab chooses."""
    draw = random.Random(seed)
    for _ in range(rounds):
        yield draw.uniform(0, width_s)
