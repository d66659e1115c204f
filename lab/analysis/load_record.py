"""The requests that the processes of the load recorded (loadtests/record.py), read as entries of a timeline."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lab.errors import BadInput

FILES = "requests-*.jsonl"  # one per process


def merge(folder: Path) -> list[dict[str, Any]]:
    """All requests below `folder`, of all processes and machines, as timeline entries in the order they were due.

    A write that was sent and never ended is unknown; its `ended` is null. Raises BadInput if a file is there twice, for
    every request would count twice; file names do not show that, as processes of two machines may have one number.
    """
    entries = [entry for path in _once(sorted(folder.rglob(FILES))) for entry in _read(path)]
    requests = [entry for entry in entries if entry["kind"] == "request"]
    ended = {entry["token"] for entry in requests if entry["method"] == "POST"}
    cut_off = [entry for entry in entries if entry["kind"] == "intent" and entry["token"] not in ended]
    return sorted(requests + [{**entry, "kind": "request"} for entry in cut_off], key=lambda entry: float(entry["at"]))


def _once(paths: Iterable[Path]) -> Iterator[Path]:
    """Refuse copies: they have the same first line, while no two processes begin at the same microsecond."""
    seen: dict[bytes, Path] = {}
    for path in paths:
        with path.open("rb") as file:
            first = file.readline()
        if first in seen:
            raise BadInput(f"{path} is a copy of {seen[first]}", hint="remove one of them")
        seen |= {first: path} if first else {}
        yield path


def _read(path: Path) -> Iterator[dict[str, Any]]:
    *lines, last = path.read_text(encoding="ascii", errors="replace").split("\n")
    for number, line in enumerate(lines, 1):
        try:
            yield json.loads(line)
        except ValueError as error:
            raise BadInput(f"{path}: line {number} is not JSON", evidence=line) from error
    try:
        yield json.loads(last)
    except ValueError:
        return  # nothing after the last newline, or an incomplete line
