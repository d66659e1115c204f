"""timeline.jsonl: the observations of all observers during a run, one JSON object per line."""

import json
import os
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

from lab import clock
from lab.errors import BadInput, InfrastructureBroken

OWN_KEYS = ("at", "observer", "kind")
RESERVE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Entry:
    """One observation of one observer; `at` is Unix seconds by the clock of the hosting machine."""

    at: float
    observer: str
    kind: str
    data: Mapping[str, Any]

    def __post_init__(self) -> None:
        taken = [key for key in OWN_KEYS if key in self.data]
        if taken:
            raise ValueError(f"{self.observer} {self.kind}: {', '.join(taken)} can't be a key of an entry's data")

    def line(self) -> str:
        """The entry as a line of the file, with its newline."""
        fields = {"at": self.at, "observer": self.observer, "kind": self.kind, **self.data}
        return json.dumps(fields, ensure_ascii=False) + "\n"


class Writer:
    """Adds entries to a timeline; threads may share it, and every entry is in the file when `write` returns.

    On a full disk `write` raises nothing, because the caller has faults to heal: later entries are left out, every
    line in the file stays complete, `must_be_complete` raises, and `close` marks the run as broken.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._lock = threading.Lock()
        self._trouble: OSError | None = None
        self._reserve = path.with_suffix(".reserve")
        self._reserve.write_bytes(bytes(RESERVE_BYTES))

    def write(self, entry: Entry) -> None:
        """Add one entry."""
        with self._lock:
            if self._trouble is None:
                try:
                    append_line(self._file, entry.line().encode())
                except OSError as error:
                    self._trouble = error

    def must_be_complete(self) -> None:
        """Raise InfrastructureBroken if an entry could not be written."""
        if self._trouble is not None:
            raise InfrastructureBroken(
                "the timeline can't be written", evidence=str(self._trouble), hint="free disk space: df -h"
            )

    def close(self) -> None:
        """Close the file; if an entry is missing, record that in the disk space reserved for it."""
        self._reserve.unlink(missing_ok=True)
        if self._trouble is not None:
            why = f"the timeline can't be written: {self._trouble}"
            with suppress(OSError):
                append_line(self._file, Entry(clock.now(), "lab", "broken", {"why": why}).line().encode())
        self._file.close()

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def append_line(file: FileIO, line: bytes) -> None:
    """Add a complete line or nothing: on a full disk the kernel writes only a part of it."""
    size = os.fstat(file.fileno()).st_size
    try:
        while line:
            line = line[file.write(line) :]
    except OSError:
        os.ftruncate(file.fileno(), size)
        raise


def append(path: Path, entries: Iterable[Entry]) -> None:
    """Add entries to a timeline, which is created if needed; raise InfrastructureBroken if the disk is full."""
    with Writer(path) as writer:
        for entry in entries:
            writer.write(entry)
        writer.must_be_complete()


def read(path: Path) -> list[Entry]:
    """All entries in the order of time; raise BadInput naming every damaged line.

    A killed writer leaves a last line without newline: it is dropped if it can't be parsed.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as error:
        raise BadInput(f"{path} can't be read", evidence=str(error)) from error
    *complete, last = lines
    entries, mistakes = [], []
    for number, line in enumerate(complete, 1):
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
    return entry(data)


def entry(data: Mapping[str, Any]) -> Entry:
    """Make an entry from the data of a line; raise ValueError if that is none.

    In format 2 the key `observer` was `eye`.
    """
    if "observer" not in data and "eye" in data:
        data = {"observer" if key == "eye" else key: value for key, value in data.items()}
    at, observer, kind = (data.get(key) for key in OWN_KEYS)
    if isinstance(at, bool) or not isinstance(at, int | float):
        raise ValueError("'at' is not a number")
    if not isinstance(observer, str) or not isinstance(kind, str):
        raise ValueError("'observer' and 'kind' are not both text")
    return Entry(float(at), observer, kind, {key: value for key, value in data.items() if key not in OWN_KEYS})
