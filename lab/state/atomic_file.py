"""Files that a kill or a second command must not damage: each is replaced completely, or stays as it was."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from lab.errors import Locked

WAIT_S = 10.0  # a write takes milliseconds


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Read and replace a file exclusively; raise Locked if another command has the file for ten seconds."""
    path.parent.mkdir(exist_ok=True)
    try:
        with FileLock(path.with_suffix(".lock"), timeout=WAIT_S):
            yield
    except Timeout as error:
        raise Locked(f"another command is writing {path}", hint="find the command that hangs: ps -ef") from error


def atomic_write(path: Path, text: str, mode: int | None = None) -> None:
    """Replace a file: a reader finds the complete old or new text, even after a kill or a power loss.

    The file gets exactly this mode; without one, 644 minus the umask.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.new")
    staged.unlink(missing_ok=True)
    try:
        opened = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644 if mode is None else mode)
        with os.fdopen(opened, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
    _on_disk(path.parent)


def _on_disk(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
