"""Commands on the hosting machine: bounded in time, never silent, errors with evidence."""

import os
import queue
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lab import progress
from lab.errors import CommandFailed, GivenUp, InfrastructureBroken, TimedOut
from lab.wait import SAY_EVERY_S

HOST = "host"
IN_ENGLISH = {"LC_ALL": "C"}  # for programs whose words are read: virsh says "laufend" on a machine that speaks German
Show = Callable[[str], tuple[str, str] | None]
GiveUp = Callable[[], bool]
SHOWN_WIDTH = 100
ENDS = (("SIGINT", 20.0), ("SIGTERM", 5.0), ("SIGKILL", 5.0))  # and seconds of patience after each


@dataclass(frozen=True)
class Finished:
    """How a command ended: its exit code and all that it printed (both streams, in order)."""

    exit_code: int
    output: str


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    ok: Sequence[int] = (0,),
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    cwd: str | None = None,
    hint: str = "",
    show: Show | None = None,
    give_up: GiveUp = lambda: False,
    keep: Sequence[int] = (),
) -> Finished:
    """Run a command to its end.

    `timeout` is seconds; `env` is added to this process's own; it inherits the file descriptors `keep`.
    `show` turns a line of output into a progress line (where, text), or None to keep it quiet; after ten
    silent seconds the last line is shown anyway. Raises CommandFailed on an exit code outside `ok`,
    TimedOut at the deadline, GivenUp as soon as `give_up`, asked all the time, says so, InfrastructureBroken where the
    program is missing.
    """
    process = _start(argv, env, cwd, stdin is not None, keep)
    lines: list[str] = []
    try:
        if stdin is not None and process.stdin:
            threading.Thread(target=_feed, args=(process, stdin), daemon=True).start()
        _collect(process, lines, shlex.join(argv), timeout, show, give_up)
    except BaseException:
        _stop(process)
        raise
    output = "".join(lines)
    if process.returncode not in ok:
        raise CommandFailed(HOST, shlex.join(argv), process.returncode, output, hint=hint)
    return Finished(process.returncode, output)


def _start(
    argv: Sequence[str], env: Mapping[str, str] | None, cwd: str | None, feeds: bool, keep: Sequence[int]
) -> "subprocess.Popen[str]":
    try:
        return subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE if feeds else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **(env or {})},
            cwd=cwd,
            start_new_session=True,
            pass_fds=keep,
        )
    except FileNotFoundError as error:
        raise InfrastructureBroken(
            f"host: the program {argv[0]} is not installed",
            hint="run ./bootstrap.sh, or see: invoke lab.doctor",
        ) from error


def _feed(process: "subprocess.Popen[str]", text: str) -> None:
    assert process.stdin
    try:
        process.stdin.write(text)
        process.stdin.close()
    except BrokenPipeError:
        pass  # the command ended without reading all of it; its exit code tells why


def _collect(
    process: "subprocess.Popen[str]",
    lines: list[str],
    command: str,
    timeout: float,
    show: Show | None,
    give_up: GiveUp,
) -> None:
    arrived: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read, args=(process, arrived), daemon=True).start()
    start = reported_at = time.monotonic()
    while True:
        if give_up():
            raise GivenUp(f"host: {command}: ended before it was done", evidence="".join(lines[-10:]).rstrip())
        now = time.monotonic()
        if now - start > timeout:
            raise TimedOut(f"host: {command}: not done within {timeout:g} s", evidence="".join(lines[-10:]).rstrip())
        if now - reported_at >= SAY_EVERY_S:
            last = lines[-1].strip() if lines else "no output yet"
            progress.still(HOST, f"{command[:SHOWN_WIDTH]}: {last[:SHOWN_WIDTH]}", start)
            reported_at = now
        try:
            line = arrived.get(timeout=0.2)
        except queue.Empty:
            continue
        if line is None:
            process.wait()
            return
        lines.append(line)
        shown = show(line.strip()) if show else None
        if shown:
            progress.say(*shown)
            reported_at = now


def _read(process: "subprocess.Popen[str]", arrived: "queue.Queue[str | None]") -> None:
    assert process.stdout
    for line in process.stdout:
        arrived.put(line)
    arrived.put(None)


def _stop(process: "subprocess.Popen[str]") -> None:
    """End the command and its children: interrupt first, so that Vagrant can tidy up, then kill."""
    if not hasattr(os, "killpg"):  # Windows
        process.kill()
        return
    for name, grace in ENDS:
        try:
            os.killpg(process.pid, signal.Signals[name])
            process.wait(grace)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
