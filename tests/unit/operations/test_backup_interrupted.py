"""A restore of the site's data that is interrupted or fails: what is left, and what is told."""

from pathlib import Path
from typing import Any

import pytest

from lab.errors import CheckFailed, CommandFailed
from lab.nodes.ssh import Answer
from lab.operations import backup
from tests.unit.operations import test_backup
from tests.unit.operations.test_backup import DUMP, FOLLOWS, LAB, PRIMARY, Double, Machines, answering

machines = test_backup.machines

WAITS = {
    "for a lock": ("7\tWaiting for table metadata lock\n", "was not put in place", True),
    "for the replica": ("7\tWaiting for semi-sync ACK from replica\n", "as soon as the replica answers", False),
    "for nothing": ("", "was not put in place", False),
}


@pytest.mark.parametrize(("waits", "message", "ended"), WAITS.values(), ids=WAITS)
def test_who_interrupts_a_restore_is_told_how_it_stands(
    waits: str,
    message: str,
    ended: bool,
    machines: Machines,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What stands in the binary log comes true; what waits for a lock is ended. The old data is named."""
    answering(monkeypatch, PRIMARY, FOLLOWS)
    path, script = tmp_path / "whole.sql", Double.script
    path.write_text(DUMP)

    def interrupted(machine: Double, text: str, **options: Any) -> Answer:
        if "RENAME TABLE site" in text:
            raise KeyboardInterrupt
        return script(machine, text, **options)

    monkeypatch.setattr(Double, "script", interrupted)
    machines["web1"].waits = waits
    with pytest.raises(KeyboardInterrupt):
        backup.restore(LAB, path)
    output = capsys.readouterr().err
    assert message in output and ("is in the database site_restored_" in output) is ("replica" in waits)
    assert any("KILL 7" in text for text in machines["web1"].scripts) is ended
    assert not any("DROP DATABASE" in text for text in machines["web1"].scripts)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("INSERT INTO", "has the data that it had"),
        ("RENAME TABLE site", "the backup was not put in place"),
    ],
)
def test_a_restore_that_fails_says_what_is_known(
    words: str, message: str, machines: Machines, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The primary died in the middle: nothing else is sent. In its last statement it may have done it."""
    answering(monkeypatch, PRIMARY, FOLLOWS)
    path, script = tmp_path / "whole.sql", Double.script
    path.write_text(DUMP)

    def fails(machine: Double, text: str, **options: Any) -> Answer:
        if words in text:
            raise CommandFailed("web1", "mysql", 1, "ERROR 2013 (HY000): Lost connection")
        return script(machine, text, **options)

    monkeypatch.setattr(Double, "script", fails)
    with pytest.raises(CheckFailed, match=message) as caught:
        backup.restore(LAB, path)
    assert f"invoke db.restore {path}" in caught.value.hint
    assert not any("DROP DATABASE" in text for text in machines["web1"].scripts)
