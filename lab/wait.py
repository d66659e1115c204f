"""Waiting for a named condition, with a deadline: the only sleep in the project; long work that is not silent."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from lab import progress
from lab.errors import LabError, TimedOut

T = TypeVar("T")
SAY_EVERY_S = 10.0


def until(
    what: str,
    ask: Callable[[], T],
    timeout: float,
    *,
    every: float = 0.5,
    where: str = "",
    evidence: Callable[[], str] = lambda: "",
    hint: str = "",
) -> T:
    """Ask until the answer is truthy and return it.

    `timeout` and `every` are seconds. A LabError raised by `ask` counts as "not yet".
    Raises TimedOut with the last answer and `evidence()`.
    """
    start = reported_at = time.monotonic()
    while True:
        try:
            answer: T | None = ask()
            last = repr(answer)
        except LabError as error:
            answer, last = None, str(error)
        if answer:
            return answer
        now = time.monotonic()
        if now - start >= timeout:
            text = "\n".join(filter(None, [f"last answer: {last}", evidence()]))
            raise TimedOut(f"{where or 'lab'}: {what}: not within {timeout:g} s", evidence=text, hint=hint)
        if now - reported_at >= SAY_EVERY_S:
            progress.still(where, f"still waiting: {what}", start, timeout)
            reported_at = now
        pause(every)


@contextmanager
def working(where: str, what: str, every: float = SAY_EVERY_S) -> Iterator[None]:
    """Say that a long computation goes on, each `every` seconds, as long as the block lasts."""
    start, over = time.monotonic(), threading.Event()

    def speak() -> None:
        while not over.wait(every):
            progress.still(where, what, start)

    speaker = threading.Thread(target=speak, daemon=True)
    speaker.start()
    try:
        yield
    finally:
        over.set()
        speaker.join()


def pause(seconds: float) -> None:
    """Sleep; for pacing loops that are bounded by their caller."""
    time.sleep(seconds)
