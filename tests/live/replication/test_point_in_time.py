"""Point-in-time recovery on the real lab: a bad DELETE, and wanted notes before and after it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.nodes.facts import databases_of
from lab.nodes.ssh import Machine
from lab.replication.mysql_cli import client
from lab.topology import Lab
from tests.live.conftest import PROMOTE_S, invoke, must, primary, wrong
from tests.live.nodes.test_lifecycle import has_note, leave_note

pytestmark = [pytest.mark.live, pytest.mark.slow]
RECOVER_S = 300.0
NOTES = "SELECT SHA2(GROUP_CONCAT(token, ' ', body, ' ', created_at ORDER BY token), 256), COUNT(*) FROM site.notes;"
LIMIT = "SET SESSION group_concat_max_len = 100000000;"


@pytest.fixture
def backup(roles: Lab) -> Iterator[Path]:
    """A backup with a note; after the test the site has its data again, and what was written to backups/ goes."""
    leave_note(roles)
    path = Path(must("db.backup").strip())
    before = set(path.parent.iterdir()) - {path}
    try:
        yield path
        must("db.restore", str(path))
    finally:
        for it in set(path.parent.iterdir()) - before:
            it.unlink()


def delete_all(machine: Machine) -> None:
    """The mistake."""
    machine.script(client("DELETE FROM site.notes;"), title="the mistake")


def the_mistake(path: Path) -> str:
    """The GTID of the only DELETE since the backup."""
    (gtid,) = re.findall(r"(\S+:\d+)  deletes \d+ rows? of notes", must("db.changes", str(path)))
    return str(gtid)


def contents(machine: Machine) -> str:
    """A checksum of all notes of a server, and their number."""
    return machine.script(client(LIMIT + NOTES), title="compares the notes").stdout


@pytest.mark.parametrize("first", ["web1", "web2"])
def test_all_wanted_notes_come_back_and_the_databases_are_equal(
    backup: Path, roles: Lab, machines: dict[str, Machine], first: str
) -> None:
    """Also after a promotion, when some transactions are of the other server, which is the replica now."""
    wanted = [leave_note(roles)]
    if first == "web2":
        must("db.promote", "web2", timeout=PROMOTE_S)
        wanted.append(leave_note(roles))
    delete_all(machines[first])
    wanted.append(leave_note(roles))
    output = must("db.recover", str(backup), the_mistake(backup), timeout=RECOVER_S)
    assert "came back" in output and "-before-recovery.sql" in output, output
    assert all(has_note(roles, it) for it in wanted)
    assert contents(machines["web1"]) == contents(machines["web2"])
    assert primary(roles) == first and has_note(roles, leave_note(roles)) and wrong(roles) == []
    if first == "web2":
        must("db.promote", "web1", timeout=PROMOTE_S)


def test_stopping_before_the_mistake_gives_up_what_came_after(
    backup: Path, roles: Lab, machines: dict[str, Machine]
) -> None:
    """And what the site had before can be restored."""
    kept = leave_note(roles)
    delete_all(machines["web1"])
    given_up = leave_note(roles)
    output = must("db.recover", str(backup), the_mistake(backup), "--stop-before", timeout=RECOVER_S)
    assert has_note(roles, kept) and not has_note(roles, given_up)
    must("db.restore", output.rpartition(": ")[2].strip())
    assert has_note(roles, given_up) and not has_note(roles, kept)


def test_a_backup_is_made_and_a_recovery_refused_where_commits_hang(
    backup: Path, roles: Lab, machines: dict[str, Machine]
) -> None:
    """Durable, and the replica's MySQL is stopped: a commit waits, and the lock of the backup would wait for it."""
    delete_all(machines["web1"])
    mistake = the_mistake(backup)
    must("fault.inject", "service-stop", "web2", "--service", "mysql")
    try:
        commit = client("INSERT INTO site.repeats (token) VALUES ('hangs');")
        machines["web1"].script(f"({commit}) >/dev/null 2>&1 &", title="a commit hangs")
        done = invoke("db.backup")
        assert done.returncode == 0 and "without its position" in done.stderr, done.stderr
        done = invoke("db.recover", str(backup), mistake)
        assert done.returncode == 1 and "no replica replicates" in done.stderr, done.stderr
    finally:
        must("fault.heal", timeout=RECOVER_S)
    for it in databases_of([machines["web1"]]).values():
        assert it and it.writable
