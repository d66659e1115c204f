"""A backup as mysqldump writes it: with its position, and without holding up the site for long."""

from pathlib import Path

import pytest

from lab.nodes.ssh import Answer
from lab.operations import backup
from tests.support.fake_node import bash, fake
from tests.unit.operations import test_backup
from tests.unit.operations.test_backup import DUMP, FOLLOWS, LAB, PRIMARY, Double, Machines, answering

machines = test_backup.machines
QUICK = backup.DUMP.replace(f"sleep {backup.LOCK_S}", "sleep 0.2")
WAITS = "until [ -e killed ]; do sleep 0.05; done; exit 2"
KILLS = "case $3$2 in KILL*) touch killed;; *COUNT*) cat hung;; *) echo 7;; esac"


@pytest.mark.parametrize(("does", "code", "killed"), [("echo data", 0, False), (WAITS, 2, True)], ids=["free", "held"])
def test_a_lock_that_is_not_free_holds_up_the_site_for_seconds_only(
    does: str, code: int, killed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it waits for a commit that hangs, all other writes wait too: its session is ended."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    fake(tmp_path, "mysqldump", does)
    fake(tmp_path, "mysql", KILLS)
    (tmp_path / "hung").write_text("0\n")
    done = bash(QUICK)
    assert done.returncode == code and (tmp_path / "killed").exists() is killed
    assert done.stdout == ("" if killed else "data\n")


def test_nothing_is_locked_while_a_commit_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock would keep readers from the tables that the commit writes until it ends."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    fake(tmp_path, "mysqldump", "touch dumped")
    fake(tmp_path, "mysql", KILLS)
    (tmp_path / "hung").write_text("1\n")
    done = bash(QUICK)
    assert (done.returncode, done.stdout) == (1, "") and "a commit waits" in done.stderr
    assert not (tmp_path / "dumped").exists()


def test_what_is_read_in_reaches_the_replica(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    """mysqldump adds statements to a dump with GTIDs that keep it out of the binary log; a note may look like one."""
    answering(monkeypatch, PRIMARY, FOLLOWS)
    off, on = "SET @@SESSION.SQL_LOG_BIN= 0;\n", "SET @@SESSION.SQL_LOG_BIN = @MYSQLDUMP_TEMP_LOG_BIN;\n"
    text = DUMP.replace("CREATE DATABASE x", "SET @@SESSION.SQL_LOG_BIN= 0;")
    saves = "SET @MYSQLDUMP_TEMP_LOG_BIN = @@SESSION.SQL_LOG_BIN;\n"
    dumped = text.replace("\n\nCREATE", f"\n\n{saves}{off}CREATE").replace(
        "-- Dump completed", f"{on}-- Dump completed"
    )
    monkeypatch.setattr(Double, "script", lambda *_, **__: Answer(0, dumped, ""))
    assert backup.backup(LAB).read_text() == text
