"""The site's data as one SQL file, and back."""

import os
from datetime import UTC, datetime
from pathlib import Path

from lab import databases, progress
from lab.errors import BadInput, CheckFailed
from lab.lifecycle import machines
from lab.machine import Machine, together
from lab.topology import ROOT, Lab

FOLDER = ROOT / "backups"
DUMP = "mysqldump --single-transaction --set-gtid-purged=OFF --no-tablespaces --databases site"
FIRST, LAST = "-- MySQL dump", "-- Dump completed"
TIMEOUT_S = 300.0


def backup(lab: Lab) -> Path:
    """Write all data of the site to a new file in backups/ (mode 600), read from the replica if there is one.

    Raises CheckFailed where no database answers or the dump is not complete.
    """
    known = _ask(lab)
    readable = [door for door, it in known if it.replicating] or [door for door, it in known if it.has_site]
    if not readable:
        raise CheckFailed("no database can be read", hint="see why: invoke lab.status")
    door = readable[0]
    text = door.script(DUMP, timeout=TIMEOUT_S, title="writes the data out").stdout
    if not _whole(text):
        raise CheckFailed(f"{door.node.name}: the dump is not complete", evidence=text[-300:], hint="run it again")
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"site-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.sql"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    progress.say(door.node.name, f"{text.count(chr(10))} lines written to {path}")
    return path


def restore(lab: Lab, path: Path) -> None:
    """Replace the site's data by that of a backup, on the primary; the replica follows.

    Raises BadInput where the file is none of ours or is cut off: nothing was changed then.
    """
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if not _whole(text):
        raise BadInput(f"{path} is not a complete backup", hint="backups are in backups/; make one: invoke db.backup")
    primary = [door for door, it in _ask(lab) if it.role == "primary"]
    if len(primary) != 1:
        raise CheckFailed(f"{len(primary)} databases are primary, 1 is needed", hint="invoke lab.status")
    door = primary[0]
    door.script(f"mysql <<'END_OF_BACKUP'\n{text}\nEND_OF_BACKUP\n", timeout=TIMEOUT_S, title="reads the data in")
    progress.say(door.node.name, f"has the data of {path}")


def _whole(text: str) -> bool:
    return text.startswith(FIRST) and LAST in text[-200:]


def _ask(lab: Lab) -> list[tuple[Machine, databases.Database]]:
    doors = [door for door in machines(lab) if "database" in door.node.roles]
    texts = together(lambda door: door.script(f"{databases.QUESTION}\nexit 0", title="asks the database").stdout, doors)
    known = [(door, databases.read(door.node.name, text)) for door, text in zip(doors, texts, strict=True)]
    return [(door, it) for door, it in known if it is not None]
