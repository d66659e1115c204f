"""A shell at a terminal of its own, at which a test types."""

import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

LONGEST_S = 120.0  # a busy machine takes its time; a shell that hangs shows what it wrote


class Terminal:
    """What the shell wrote and nobody waited for yet, and its keyboard."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.text = ""

    def types(self, keys: str, until: str) -> str:
        """Press keys, and wait for what appears; all that was written up to there."""
        os.write(self.descriptor, keys.encode())
        end = time.monotonic() + LONGEST_S
        while until not in self.text:
            ready, _, _ = select.select([self.descriptor], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"{until!r} did not appear: {self.text!r}"
            self.text += os.read(self.descriptor, 4096).decode(errors="replace")
        written, _, self.text = self.text.partition(until)
        return written + until


@contextmanager
def opened(command: Sequence[str], folder: Path, env: Mapping[str, str]) -> Iterator[Terminal]:
    """A terminal with this shell; it is gone after the block."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, cwd=folder, env=dict(env), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    try:
        yield Terminal(ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
