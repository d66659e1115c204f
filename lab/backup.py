"""The site's data as one SQL file, and back."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkstemp

from lab import gtid, progress
from lab.databases import Database
from lab.errors import BadInput, CheckFailed
from lab.facts import databases_of
from lab.lifecycle import machines
from lab.machine import Machine
from lab.topology import ROOT, Lab
from lab.wait import until

FOLDER = ROOT / "backups"
DUMP = "mysqldump --single-transaction --set-gtid-purged=OFF --no-tablespaces --databases site"
FIRST, LAST = "-- MySQL dump", "-- Dump completed"
TIMEOUT_S = 300.0
APPLY_S = 60.0


def backup(lab: Lab) -> Path:
    """Write all data of the site to a new file in backups/ (mode 600), read from the primary.

    Raises CheckFailed where no database answers or the dump is not complete.
    """
    door = _readable(_ask(lab))
    text = door.script(DUMP, timeout=TIMEOUT_S, title="writes the data out").stdout
    if not _whole(text):
        raise CheckFailed(f"{door.node.name}: the dump is not complete", evidence=text[-300:], hint="run it again")
    path = write(f"site-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.sql", text)
    progress.say(door.node.name, f"{text.count(chr(10))} lines written to {path}")
    return path


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


def restore(lab: Lab, path: Path) -> None:
    """Replace the site's data by that of a backup, on the primary; the replica follows.

    Raises BadInput where the file is none of ours or is cut off, CheckFailed where the primary could not commit:
    nothing was changed then.
    """
    text = _read(path)
    door = _writable(_ask(lab))
    door.script(f"mysql <<'END_OF_BACKUP'\n{text}\nEND_OF_BACKUP\n", timeout=TIMEOUT_S, title="reads the data in")
    _wait_for_replica(lab, door)
    progress.say(door.node.name, f"has the data of {path}")


def _readable(known: Sequence[tuple[Machine, Database]]) -> Machine:
    """The primary: only it surely has every note that was acknowledged; else whoever has data: then it is said."""
    primary = [door for door, it in known if it.role == "primary" and it.has_site]
    if primary:
        return primary[0]
    left = [door for door, it in known if it.has_site]
    if not left:
        raise CheckFailed("no database can be read", hint="see why: invoke lab.status")
    progress.say(left[0].node.name, "no primary answers: the latest changes may be missing here")
    return left[0]


def _wait_for_replica(lab: Lab, primary: Machine) -> None:
    """Until who replicates has applied what the primary has now: the next page may be read there."""
    written = next(it.gtid_executed for door, it in _ask(lab) if door.node == primary.node)

    def applied() -> bool:
        return all(gtid.subset(written, it.gtid_executed) for _, it in _ask(lab) if it.replicating)

    until("the replica has the data too", applied, APPLY_S, where=primary.node.name, hint="invoke lab.status")


def _writable(known: Sequence[tuple[Machine, Database]]) -> Machine:
    primary = [(door, it) for door, it in known if it.role == "primary"]
    if len(primary) != 1:
        raise CheckFailed(f"{len(primary)} databases are primary, 1 is needed", hint="invoke lab.status")
    door, its = primary[0]
    if its.durability == "durable" and not any(it.replicating for _, it in known):
        raise CheckFailed(
            f"{door.node.name} would wait without end: commits are durable, and no replica replicates",
            hint="bring the replica back: invoke lab.up; see why: invoke lab.status",
        )
    return door


def _read(path: Path) -> str:
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        text = ""
    if not _whole(text):
        raise BadInput(f"{path} is not a complete backup", hint="backups are in backups/; make one: invoke db.backup")
    return text


def _whole(text: str) -> bool:
    return text.startswith(FIRST) and LAST in text[-200:]


def _ask(lab: Lab) -> list[tuple[Machine, Database]]:
    """The database servers that answer."""
    doors = [door for door in machines(lab) if "database" in door.node.roles]
    asked = databases_of(doors)
    return [(door, it) for door in doors if (it := asked[door.node.name]) is not None]
