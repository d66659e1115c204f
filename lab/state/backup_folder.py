"""The folder backups/: files that only their owner can read, each complete or absent."""

from pathlib import Path

from lab.state.atomic_file import atomic_write
from lab.topology import ROOT

FOLDER = ROOT / "backups"


def write(name: str, text: str) -> Path:
    """Write a file of backups/ that only its owner can read; an interrupted or failed write leaves none."""
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    FOLDER.chmod(0o700)
    atomic_write(FOLDER / name, text, mode=0o600)
    return FOLDER / name
