"""What a long command is doing: elapsed seconds, node, step; and how long each stage took.

A step is a line. On a terminal the nodes that are worked on together have a row each instead, which shows the current
step (lab.terminal.live_rows).
"""

import re
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

from lab.terminal import capabilities
from lab.terminal.live_rows import LiveRows

REDRAW_S = 0.25
CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x09\x0b-\x1f\x7f-\x9f]")  # colours and the like, but no newline

_started = time.monotonic()
_write = threading.RLock()
_stages: list[tuple[str, float]] = []
_rows: LiveRows | None = None
_lists_changes = False
_steps: dict[str, str] = {}  # of each node that is worked on together with others; '' when it is done
_interrupted: dict[str, str] = {}


def say(where: str, text: str) -> None:
    """Print one progress line on stderr, so that stdout stays the command's answer.

    Of a node that has a row in a live display it is the current step, until its next one.
    """
    with _write:
        if _steps.get(where):
            _steps[where] = text
        if _rows and where in _rows:
            _rows.step(where, _printable(text), time.monotonic())
        else:
            _print(_line(where, text))


def still(where: str, text: str, began: float, within_s: float | None = None) -> None:
    """Print that a step still goes on, which `began` at that moment of the monotonic clock; a row counts by itself."""
    with _write:
        if _rows and where in _rows:
            _rows.step(where, _printable(text), began)
            return
        limit = "" if within_s is None else f" of {within_s:.0f}"
        _print(_line(where, f"{text} ({time.monotonic() - began:.0f}{limit} s)"))


def done(where: str, text: str) -> None:
    """Print the last step of a node; its line stays, and its row in a live display goes."""
    with _write:
        if where in _steps:
            _steps[where] = ""
        if _rows and where in _rows:
            _rows.collapse(where, _line(where, text))
        else:
            _print(_line(where, text))


def change(where: str, text: str) -> None:
    """Print one of the changes of a node, if the command was asked to list them."""
    if _lists_changes:
        with _write:
            _print(_line(where, f"    {text}"))


def list_changes(wanted: bool) -> None:
    """Whether this command lists each change, beside their numbers."""
    global _lists_changes
    _lists_changes = wanted


@contextmanager
def display(names: Sequence[str], step: str) -> Iterator[None]:
    """On a terminal, show a row for each of these nodes while the block lasts, with `step` as their first one.

    When an error or Ctrl-C ends the block, each row that is left becomes a line: what was not finished. After Ctrl-C
    `interrupted` tells it too.
    """
    if _steps:  # part of another block
        yield
        return
    _steps.update(dict.fromkeys(names, step))
    try:
        with _shown(names, step) if capabilities.live(sys.stderr) else nullcontext():
            yield
    except KeyboardInterrupt:
        _interrupted.update(_steps)
        raise
    finally:
        _steps.clear()


def interrupted() -> str:
    """The nodes that were finished when Ctrl-C ended a block of `display`, and those that were not; '' without one."""
    done = ", ".join(name for name, step in _interrupted.items() if not step)
    left = ", ".join(f"{name} ({step})" for name, step in _interrupted.items() if step)
    return "; ".join(filter(None, (done and f"finished: {done}", left and f"not finished: {left}")))


@contextmanager
def _shown(names: Sequence[str], step: str) -> Iterator[None]:
    over = threading.Event()
    try:
        _open(LiveRows(sys.stderr, names, step), over)
        yield
    except BaseException:
        _leave_unfinished()
        raise
    finally:
        over.set()
        _close()


def _open(rows: LiveRows, over: threading.Event) -> None:
    global _rows
    with _write:
        _rows = rows
        rows.start()
    threading.Thread(target=_redraw, args=(rows, over), daemon=True).start()


def _redraw(rows: LiveRows, over: threading.Event) -> None:
    while not over.wait(REDRAW_S):
        with _write:
            if not over.is_set():
                rows.draw()


def _leave_unfinished() -> None:
    with _write:
        if _rows:
            for where, text in _rows.unfinished():
                _rows.collapse(where, _line(where, f"not finished: {text}"))


def _close() -> None:
    global _rows
    with _write:
        rows, _rows = _rows, None
        if rows:
            rows.stop()


def _line(where: str, text: str) -> str:
    return f"{elapsed():6.1f}s  {where or '-':<9} {_printable(text)}"


def _printable(text: str) -> str:
    return CONTROL.sub(" ", text)


def _print(line: str) -> None:
    if _rows:
        _rows.print_above(line)
        return
    sys.stderr.write(f"{line}\n")
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
