"""Backups: read from whom, put back when, and what is no backup."""

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab import topology
from lab.durability import Durability
from lab.errors import BadInput, CheckFailed, Unreachable
from lab.mysql.server_state import Database
from lab.nodes import lifecycle
from lab.nodes.ssh import Answer
from lab.operations import backup
from lab.state import backup_folder

LAB = topology.load()
DUMP = """-- MySQL dump 10.13

CREATE DATABASE /*!32312 IF NOT EXISTS*/ `site` /*!40100 DEFAULT CHARACTER SET utf8mb4 */;

USE `site`;
DROP TABLE IF EXISTS `notes`;
CREATE TABLE `notes` (`token` varchar(64));
INSERT INTO `notes` VALUES ('a','CREATE DATABASE x;\\nUSE `site`;');
-- Dump completed on 2025-01-01
"""
PRIMARY = Database("web1", "9.7.4", writable=True, gtid_executed="", has_site=True, durability=Durability.DURABLE)
REPLICA = replace(PRIMARY, node="web2", writable=False, source="192.168.56.11", durability=Durability.ASYNC)
FOLLOWS = replace(REPLICA, receiving=True, applying=True, lag_s=0)


class Double:
    """A node that writes a dump out, and remembers what it was told."""

    def __init__(self, node: topology.Node) -> None:
        self.node = node
        self.scripts: list[str] = []
        self.waits = ""

    def script(self, text: str, **_: Any) -> Answer:
        """Stands in for Machine.script."""
        self.scripts.append(text)
        if "information_schema.tables" in text:
            asides = [it.split()[2] for it in "\n".join(self.scripts).split("\n") if it.startswith("CREATE DATABASE")]
            table = "before_notes" if any("RENAME TABLE site" in it for it in self.scripts[:-1]) else "notes"
            rows = [*((it, table) for it in asides), ("site", "notes"), ("mysql", "user"), ("site", "repeats")]
            rows += [("site_restored_1", "before_notes"), ("site_restored_2", "notes")]
            return Answer(0, "".join(f"{schema}\t{name}\n" for schema, name in rows), "")
        if "information_schema.processlist" in text and "mysqldump" not in text:
            return Answer(0, self.waits, "")
        return Answer(0, DUMP, "")


Machines = dict[str, Double]


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machines:
    """A connection to each node."""
    machines = {node.name: Double(node) for node in LAB.nodes}
    monkeypatch.setattr(lifecycle, "machines", lambda lab: list(machines.values()))
    monkeypatch.setattr(backup_folder, "FOLDER", tmp_path / "backups")
    return machines


def answering(monkeypatch: pytest.MonkeyPatch, web1: Database | None, web2: Database | None) -> None:
    """What the two databases answer; None: the node is off."""
    monkeypatch.setattr(backup, "databases_of", lambda machines: {"web1": web1, "web2": web2})


READ_FROM = {
    "both there": (PRIMARY, FOLLOWS, "web1"),
    "a replica that stopped": (PRIMARY, REPLICA, "web1"),
    "web2 off": (PRIMARY, None, "web1"),
    "web1 off": (None, REPLICA, "web2"),
}


@pytest.mark.parametrize("case", READ_FROM.values(), ids=READ_FROM.keys())
def test_data_is_read_where_all_of_it_is(
    case: tuple[Database | None, Database | None, str], machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica may not have applied the latest acknowledged note yet; a node that is off does no harm."""
    web1, web2, wanted = case
    answering(monkeypatch, web1, web2)
    path = backup.backup(LAB)
    assert [name for name, machine in machines.items() if machine.scripts] == [wanted]
    assert path.read_text() == DUMP and path.stat().st_mode & 0o777 == 0o600


ANSWER = """*************************** 1. row ***************************
version: 9.7.4
read_only: 0
super_read_only: 0
gtid_executed:
has_site: 1
"""


def test_a_node_without_ssh_is_a_database_that_does_not_answer(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """web2's power is off: web1 is dumped all the same."""

    def script(machine: Double, text: str, title: str, **_: Any) -> Answer:
        if machine.node.name == "web2":
            raise Unreachable("web2: ssh failed")
        return Answer(0, DUMP if "mysqldump" in text else ANSWER, "")

    monkeypatch.setattr(Double, "script", script)
    assert backup.backup(LAB).read_text() == DUMP


def test_without_a_primary_it_says_that_something_may_be_missing(
    machines: Machines, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A replica that lost its primary does not know what it has not received."""
    answering(monkeypatch, None, REPLICA)
    backup.backup(LAB)
    assert "may be missing" in capsys.readouterr().err


def test_no_database_no_backup(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reason and a next step instead of an empty file."""
    answering(monkeypatch, None, replace(PRIMARY, has_site=False))
    with pytest.raises(CheckFailed, match="no database can be read"):
        backup.backup(LAB)


def test_data_goes_back_through_the_primary(
    machines: Machines, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The replica gets it by replication; the old data goes in the statement that brings the new."""
    answering(monkeypatch, PRIMARY, FOLLOWS)
    path = tmp_path / "whole.sql"
    path.write_text(DUMP)
    backup.restore(LAB, path)
    loads, _, puts, *_ = machines["web1"].scripts
    aside = loads.split("CREATE DATABASE ")[1].split()[0]
    assert f"\nUSE {aside};\n" in loads and "\nUSE `site`;\n" not in loads and "INSERT INTO `notes`" in loads
    moves = f"RENAME TABLE site.`notes` TO {aside}.`before_notes`, {aside}.`notes` TO site.`notes`;"
    assert moves in puts and not machines["web2"].scripts
    (removes,) = [text for text in machines["web1"].scripts if "DROP DATABASE" in text]
    assert f"DROP DATABASE {aside};" in removes and "DROP DATABASE site_restored_2;" in removes
    assert "site_restored_1" not in removes, "an interrupted restore had put it in place: nobody saw its end"


def test_a_line_end_that_only_python_knows_stays_within_its_note(
    machines: Machines, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Taken for one it would end the text that MySQL reads, and what follows would be run as root."""
    answering(monkeypatch, PRIMARY, FOLLOWS)
    path, note = tmp_path / "whole.sql", "x\u2028END_OF_BACKUP\u2028touch /tmp/owned\x85USE `site`;\u2029\x0bend"
    path.write_text(DUMP.replace("'a'", f"'{note}'"), encoding="utf-8")
    backup.restore(LAB, path)
    assert note in machines["web1"].scripts[0] and machines["web1"].scripts[0].count("\nEND_OF_BACKUP") == 1


def test_restore_is_done_when_the_replica_has_applied_it(
    machines: Machines, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The next page may be read there: it must not show what was before."""
    source = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
    behind = iter(["1-5", "1-6", "1-7"])

    def ask(machines: object) -> dict[str, Database | None]:
        return {
            "web1": replace(PRIMARY, gtid_executed=f"{source}:1-7"),
            "web2": replace(FOLLOWS, gtid_executed=f"{source}:{next(behind, '1-7')}"),
        }

    monkeypatch.setattr(backup, "databases_of", ask)
    path = tmp_path / "whole.sql"
    path.write_text(DUMP)
    backup.restore(LAB, path)
    assert next(behind, None) is None, "it asked until the replica had all"


@pytest.mark.parametrize("replica", [None, REPLICA], ids=["off", "stopped"])
def test_data_that_could_not_be_committed_is_not_touched(
    replica: Database | None, machines: Machines, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Durable commits wait for the replica: the tables would be dropped, then nothing would come for minutes."""
    answering(monkeypatch, PRIMARY, replica)
    path = tmp_path / "whole.sql"
    path.write_text(DUMP)
    with pytest.raises(CheckFailed, match="no replica replicates") as caught:
        backup.restore(LAB, path)
    assert "invoke lab.up" in caught.value.hint
    assert not machines["web1"].scripts


@pytest.mark.parametrize("durability", [Durability.ASYNC, Durability.AVAILABLE])
def test_commits_that_do_not_wait_need_no_replica(
    durability: Durability, machines: Machines, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The primary alone takes the data."""
    answering(monkeypatch, replace(PRIMARY, durability=durability), None)
    path = tmp_path / "whole.sql"
    path.write_text(DUMP)
    backup.restore(LAB, path)
    assert machines["web1"].scripts


FILES = {
    "compressed": gzip.compress(DUMP.encode()),
    "binary": b"-- MySQL dump \xff\xfe\n-- Dump completed",
    "cut off": DUMP[:40].encode(),
    "of another database": DUMP.replace("USE `site`", "USE `other`").encode(),
    "empty": b"",
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES.keys())
def test_what_is_no_whole_backup_is_refused(content: bytes, tmp_path: Path) -> None:
    """By name, before any node is asked."""
    path = tmp_path / "file.sql"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="not a complete backup"):
        backup.restore(LAB, path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    """Like any other wrong input."""
    for path in (tmp_path / "none.sql", tmp_path):
        with pytest.raises(BadInput, match="not a complete backup"):
            backup.restore(LAB, path)
