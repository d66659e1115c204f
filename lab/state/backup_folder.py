"""The folder backups/: files that only their owner can read, each whole or not there."""

import os
from pathlib import Path
from tempfile import mkstemp

from lab.topology import ROOT

FOLDER = ROOT / "backups"


def write(name: str, text: str) -> Path:
    """Write a file of backups/ that only its owner can read; an interrupted or failed write leaves none."""
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    FOLDER.chmod(0o700)
    handle, staged = mkstemp(prefix=f".{name}.", dir=FOLDER)  # mode 600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        return Path(staged).replace(FOLDER / name)
    finally:
        Path(staged).unlink(missing_ok=True)
