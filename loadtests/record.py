"""The record: what was sent to the site and its outcome, one JSON object a line, one file for each process.

Each line is written to the operating system before the next step: the intent to write a note before the note is sent,
the end of a request before the request is processed further. So nothing is lost if the generator is killed, even with
kill -9: a write with an intent and no end was sent, and its outcome is unknown. Only reads under way are missing.
A power cut of the hosting machine may lose the last lines: fsync is called only at the end, because the process could
send no other request meanwhile. Measured on the disk of a virtual machine with the lab running on it: 2 microseconds a
line, 360 with fsync, 1200 for one in a hundred.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.analysis.load_record import FILES
from lab.errors import BadInput
from loadtests.outcome import Outcome


@dataclass(frozen=True)
class Request:
    """One request: its intended start, real start and end (Unix seconds), and its outcome."""

    method: str
    name: str
    intended: float
    sent: float
    token: str = ""
    ended: float | None = None
    status: int = 0
    outcome: Outcome = "unknown"
    reason: str = "the generator ended first"
    served_by: str = ""
    db: str = ""


class Record:
    """The record of one process; a folder has the records of one run."""

    def __init__(self, folder: Path, process: str) -> None:
        self.folder, self.process, self.ended = folder, process, 0
        path = folder / FILES.replace("*", process)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = path.open("x", buffering=1, encoding="ascii")
        except OSError as error:
            raise taken(folder) if path.exists() else BadInput(f"no record can be made in {folder}: {error}") from error

    def intend(self, request: Request) -> None:
        """Record that a write is about to be sent."""
        self._write("intent", request)

    def end(self, request: Request) -> None:
        """Record that a request has ended."""
        self._write("request", request)
        self.ended += 1

    def close(self) -> None:
        """Close the file after writing it to disk."""
        os.fsync(self._file.fileno())
        self._file.close()

    def _write(self, kind: str, request: Request) -> None:
        entry = {"at": request.intended, "observer": "client", "kind": kind, **asdict(request), "process": self.process}
        self._file.write(json.dumps(entry) + "\n")


def taken(folder: Path) -> BadInput:
    """The error for a folder that holds the record of another run."""
    return BadInput(f"{folder} already holds a record", hint="name another folder: two runs in one could not be judged")
