"""A command of the lab as a part of an experiment: a process of its own, as the user of the lab would start it."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from shlex import split

from lab import process
from lab.state.lock import HOLDER, descriptors
from lab.topology import ROOT

COMMAND_S = 300.0


def run(words: str, give_up: Callable[[], bool]) -> tuple[int, str]:
    """Run `invoke` with these words; its exit code and output. It has the lock of this process.

    It is ended, and GivenUp raised, as soon as `give_up` says so.
    """
    argv = [str(Path(sys.executable).with_name("invoke")), *split(words)]
    done = process.run(
        argv,
        cwd=str(ROOT),
        timeout=COMMAND_S,
        ok=range(256),
        env={HOLDER: str(os.getpid())},
        keep=descriptors(),
        give_up=give_up,
    )
    return done.exit_code, done.output
