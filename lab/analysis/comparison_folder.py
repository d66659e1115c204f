"""The folder of a comparison: runs/<UTC time>-compare-<experiment>/, to which every complete round is added."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.analysis import run_folder, timeline
from lab.analysis.compared_rounds import Round
from lab.analysis.run_folder import RUNS
from lab.errors import BadInput
from lab.state.atomic_file import atomic_write

ABOUT, ROUNDS = "comparison.json", "rounds.jsonl"
FORMAT = 1


def key(about: Mapping[str, Any]) -> str:
    """Identifies a comparison: only with equal settings and equal code its rounds belong together."""
    return hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode()).hexdigest()[:16]


def find(name: str, wanted: str, folder: Path = RUNS) -> Path | None:
    """The newest comparison of an experiment with this key; None if there is none."""
    for path in sorted(folder.glob(f"*-compare-{name}/{ABOUT}"), reverse=True):
        if about(path.parent).get("key") == wanted:
            return path.parent
    return None


def make(name: str, parts: Mapping[str, Any], folder: Path = RUNS) -> Path:
    """Create the folder of a comparison, with what it is about."""
    made = run_folder.make(f"compare-{name}", folder)
    atomic_write(made / ABOUT, json.dumps({"format": FORMAT, **parts}, indent=2, default=str) + "\n")
    return made


def about(folder: Path) -> dict[str, Any]:
    """What a comparison is about; raises BadInput if its file is damaged, or not there."""
    if not (folder / ABOUT).exists():
        raise BadInput(f"{folder} is no comparison", hint="make one: invoke --help experiment.compare")
    return _read(folder / ABOUT, (folder / ABOUT).read_text(encoding="utf-8"))


def append(folder: Path, it: Round) -> None:
    """Add a complete round; it is in the file when this returns, and no part of it is if the disk is full."""
    with (folder / ROUNDS).open("ab", buffering=0) as file:
        timeline.append_line(file, (json.dumps(it.as_data()) + "\n").encode())


def rounds(folder: Path) -> list[Round]:
    """The complete rounds, in the order in which they were measured; raises BadInput if the file is damaged."""
    path = folder / ROUNDS
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    try:
        return [Round(**_read(path, line)) for line in lines]
    except TypeError as error:
        raise _damaged(path, error) from error


def _read(path: Path, text: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> BadInput:
    hint = f"remove {path.parent}, and run the comparison again"
    return BadInput(f"{path} is damaged", evidence=str(error), hint=hint)
