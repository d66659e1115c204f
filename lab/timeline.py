"""timeline.jsonl: what every eye saw during a run, one JSON object a line."""

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import BadInput

OWN_KEYS = ("at", "eye", "kind")


@dataclass(frozen=True)
class Entry:
    """One thing seen by one eye; `at` is Unix seconds by the clock of the hosting machine."""

    at: float
    eye: str
    kind: str
    data: Mapping[str, Any]

    def __post_init__(self) -> None:
        taken = [key for key in OWN_KEYS if key in self.data]
        if taken:
            raise ValueError(f"{self.eye} {self.kind}: {', '.join(taken)} can't be a key of an entry's data")

    def line(self) -> str:
        """The entry as it stands in the file, with its line end."""
        whole = {"at": self.at, "eye": self.eye, "kind": self.kind, **self.data}
        return json.dumps(whole, ensure_ascii=False) + "\n"


class Writer:
    """Adds entries to a timeline; threads may share it, and every entry is in the file when `write` returns."""

    def __init__(self, path: Path) -> None:
        # Unbuffered and in append mode an entry is one write: lines of several processes do not mix.
        self._file = path.open("ab", buffering=0)
        self._lock = threading.Lock()

    def write(self, entry: Entry) -> None:
        """Add one entry."""
        line = entry.line().encode()
        with self._lock:
            self._file.write(line)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def append(path: Path, entries: Iterable[Entry]) -> None:
    """Add entries to a timeline, which is made if it does not exist."""
    with Writer(path) as writer:
        for entry in entries:
            writer.write(entry)


def read(path: Path) -> list[Entry]:
    """All entries in the order of time; raises BadInput that names every broken line.

    A last line without an end is what a killed writer leaves: it is dropped if it can't be read.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as error:
        raise BadInput(f"{path} can't be read", evidence=str(error)) from error
    *whole, last = lines
    entries, mistakes = [], []
    for number, line in enumerate(whole, 1):
        try:
            entries.append(_entry(line))
        except ValueError as error:
            mistakes.append(f"line {number}: {error}")
    if mistakes:
        raise BadInput.listing(f"{path} is not a timeline", mistakes)
    return sorted(entries + _cut_off(last), key=lambda entry: entry.at)


def _cut_off(line: str) -> list[Entry]:
    try:
        return [_entry(line)]
    except ValueError:
        return []


def _entry(line: str) -> Entry:
    data = json.loads(line)
    if not isinstance(data, dict):
        raise ValueError("not an object")
    at, eye, kind = (data.pop(key, None) for key in OWN_KEYS)
    if isinstance(at, bool) or not isinstance(at, int | float):
        raise ValueError("'at' is not a number")
    if not isinstance(eye, str) or not isinstance(kind, str):
        raise ValueError("'eye' and 'kind' are not both text")
    return Entry(float(at), eye, kind, data)
