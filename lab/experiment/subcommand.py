"""A command of the lab that an experiment runs: in its own process, as a user would start it."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from shlex import split

from lab import process
from lab.state.lock import HOLDER, descriptors
from lab.topology import ROOT

COMMAND_S = 300.0
PROGRESS = re.compile(r"\d+\.\ds  (?P<where>\S+) +(?P<text>.+)")  # lab.progress prints such lines


def run(words: str, give_up: Callable[[], bool], timeout: float = COMMAND_S) -> tuple[int, str]:
    """Run `invoke` with these words under the lock of this process; returns its exit code and output.

    `timeout` is seconds. If `give_up` returns true, the command is ended and GivenUp is raised.
    """
    argv = [str(Path(sys.executable).with_name("invoke")), *split(words)]
    done = process.run(
        argv,
        cwd=str(ROOT),
        timeout=timeout,
        ok=range(256),
        env={HOLDER: str(os.getpid())},
        keep=descriptors(),
        give_up=give_up,
        show=progress_of,
    )
    return done.exit_code, done.output


def progress_of(line: str) -> tuple[str, str] | None:
    """A progress line of the command as one of this process, with this process's time; None for other output."""
    found = PROGRESS.fullmatch(line)
    return (found["where"], found["text"]) if found else None
