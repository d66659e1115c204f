"""Transactions that only one server has: the script that reads them runs here, with doubles of MySQL's programs."""

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab import progress
from lab.durability import Durability
from lab.errors import CheckFailed, CommandFailed
from lab.mysql import gtid
from lab.mysql.election import Decision
from lab.nodes.ssh import Answer
from lab.release import RELEASES
from lab.replication import assign_roles, errant_transactions
from lab.state import backup_folder
from tests.support.fake_node import bash, fake
from tests.support.pairs import APART, CLOSED, LAB, U1, U2, WEB1, WEB2

ANSWER = Path(__file__).parents[1] / "cases" / "errant" / "mysqlbinlog-9.7.txt"
OWN = gtid.parse(f"{U1}:51-52")


class Double:
    """web1, whose scripts run on this machine."""

    node = WEB1

    def script(self, text: str, *, title: str, **_: Any) -> Answer:
        """Run it on this machine."""
        done = bash(text)
        if done.returncode:
            raise CommandFailed("web1", title, done.returncode, done.stdout + done.stderr)
        return Answer(0, done.stdout, done.stderr)


DOUBLE: Any = Double()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The backups; MySQL here has two binary logs, and mysqlbinlog prints a real answer of two transactions."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(backup_folder, "FOLDER", tmp_path / "backups")
    monkeypatch.setattr(progress, "say", lambda *_: None)
    logs = r"printf 'binlog.000003\t9\tNo\nbinlog.000004\t9\tNo\n'"
    fake(tmp_path, "mysql", f"case $3 in *SHOW*) {logs};; *) echo {tmp_path}/binlog;; esac")
    fake(tmp_path, "mysqlbinlog", f"cat {ANSWER}")
    return tmp_path / "backups"


def test_a_person_can_read_what_was_only_there(folder: Path, tmp_path: Path) -> None:
    """Values of rows in plain text, below a header: which server, which transactions, how many, when and why."""
    path = errant_transactions.keep(DOUBLE, OWN, "web1 becomes the replica of web2")
    text = path.read_text(encoding="utf-8")
    assert "###   @1='t1'" in text and "it\\'s a näte 日本" in text and "###   @2='two'" in text
    for line in ("node: web1", "transactions: 2", f"gtids: {U1}:51-52", "written: 20", "why: web1 becomes the replica"):
        assert f"\n-- {line}" in text.partition("\n\n")[0]
    words = f"--base64-output=DECODE-ROWS -vv --include-gtids={U1}:51-52 binlog.000003 binlog.000004"
    assert f"mysqlbinlog --no-defaults {words}" in (tmp_path / "calls").read_text()


def test_only_the_owner_reads_it(folder: Path) -> None:
    """Notes are private; a folder that an earlier release left readable is closed."""
    folder.mkdir(mode=0o755)
    path = errant_transactions.keep(DOUBLE, OWN, "why")
    assert path.parent == folder and path.name.endswith("-only-on-web1.sql")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(folder.stat().st_mode) == 0o700


FAILS = {
    "it is not installed": ("mysqlbinlog", "rm bin/mysqlbinlog; exec mysqlbinlog", "not found"),
    "it fails in the middle": ("mysqlbinlog", f"head -c 900 {ANSWER}; echo broken >&2; exit 1", "broken"),
    "mysql does not answer": ("mysql", "echo ERROR 2002 >&2; exit 1", "ERROR 2002"),
    "the logs were purged": ("mysqlbinlog", f"head -n 5 {ANSWER}", f"do not hold {U1}:51-52"),
    "a part was purged": ("mysqlbinlog", f"grep -v 9562:51 {ANSWER}", f"do not hold {U1}:51"),
}


@pytest.mark.parametrize(("program", "does", "why"), FAILS.values(), ids=FAILS.keys())
def test_without_a_whole_copy_it_refuses(folder: Path, tmp_path: Path, program: str, does: str, why: str) -> None:
    """With the reason and the command that goes on without a copy; it leaves no partial file."""
    fake(tmp_path, program, does)
    with pytest.raises(CheckFailed, match="nothing was discarded") as caught:
        errant_transactions.keep(DOUBLE, OWN, "why")
    assert why in caught.value.evidence and "invoke db.rejoin web1 --discard" in caught.value.hint
    assert not folder.exists() or list(folder.iterdir()) == []


def test_a_full_disk_of_this_machine_is_a_reason_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is detected when the file is synced to the disk."""

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckFailed) as caught:
        errant_transactions.keep(DOUBLE, OWN, "why")
    assert "No space left" in caught.value.evidence and list(folder.iterdir()) == []


def test_who_is_interrupted_leaves_nothing_and_does_it_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the file is written."""
    with monkeypatch.context() as context, pytest.raises(KeyboardInterrupt):
        context.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(KeyboardInterrupt))
        errant_transactions.keep(DOUBLE, OWN, "why")
    assert list(folder.iterdir()) == []
    assert errant_transactions.keep(DOUBLE, OWN, "why").exists()


@pytest.mark.parametrize("has_site", [True, False], ids=["a copy of the data", "empty logs"])
@pytest.mark.parametrize("own", [f"{U2}:1-3", ""], ids=["with its own", "a new server"])
def test_a_converge_that_makes_a_replica_copies_what_only_that_has(
    monkeypatch: pytest.MonkeyPatch, has_site: bool, own: str
) -> None:
    """Before its data or its logs are dropped; a new server has none, and no file is written."""
    done: list[str] = []
    monkeypatch.setattr(
        errant_transactions, "keep", lambda machine, alone, why: done.append(f"keeps {gtid.text(alone)}")
    )
    monkeypatch.setattr(assign_roles, "clone", lambda *_: done.append("thrown away"))
    monkeypatch.setattr(assign_roles, "sql", lambda machine, text, title: done.append(_title(text)))
    web2: Any = type("Web2", (), {"node": WEB2})
    passwords = {"clone": "c", "replication": "r"}
    pair = assign_roles.Pair(
        LAB, [DOUBLE, web2], {"web2": RELEASES["debian", "13"]}, passwords, Durability.DURABLE, {}, 0.0
    )
    asked = {"web1": replace(CLOSED, has_site=has_site), "web2": replace(APART, has_site=False, gtid_executed=own)}
    assign_roles._attach(pair, DOUBLE, asked, Decision(primary="web1", attach=("web2",)))
    assert done == [*([f"keeps {own}"] if own else []), "thrown away", "attached"]


def _title(text: str) -> str:
    return "thrown away" if text.startswith("RESET BINARY LOGS AND GTIDS") else "attached"
