"""What a long command is doing: elapsed seconds, node, step; and how long each stage took."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_started = time.monotonic()
_write = threading.Lock()
_stages: list[tuple[str, float]] = []


def say(where: str, text: str) -> None:
    """Print one progress line on stderr, so that stdout stays the command's answer."""
    with _write:
        sys.stderr.write(f"{elapsed():6.1f}s  {where or '-':<9} {text}\n")
        sys.stderr.flush()


def elapsed() -> float:
    """Seconds since the command started."""
    return time.monotonic() - _started


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Time a stage of the command for `--timings`."""
    start = time.monotonic()
    try:
        yield
    finally:
        _stages.append((name, time.monotonic() - start))


def timings() -> str:
    """A table of the stages so far, in seconds."""
    rows = [f"{name:<24}{seconds:8.1f} s" for name, seconds in _stages]
    return "\n".join([*rows, f"{'total':<24}{elapsed():8.1f} s"])
