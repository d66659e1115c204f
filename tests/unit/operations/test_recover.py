"""Point-in-time recovery: wanted notes come back, none is lost, and what can't work is refused."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.errors import BadInput, CheckFailed, LabError
from lab.nodes import lifecycle
from lab.operations import backup, recover
from lab.state import backup_folder
from tests.support.pairs import LAB, U1, U2, WEB2
from tests.support.recoverable import Primary


@pytest.fixture
def primary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Primary:
    """web1 with two notes; the clock goes on with each transaction."""
    primary = Primary()
    monkeypatch.setattr(lifecycle, "machines", lambda lab: [primary, SimpleNamespace(node=WEB2)])
    monkeypatch.setattr(backup_folder, "FOLDER", tmp_path / "backups")
    monkeypatch.setattr(recover, "no_writes", primary.no_writes)
    for module in (backup, recover):
        monkeypatch.setattr(module, "databases_of", primary.databases_of)
    primary.write(a="one", b="two")
    return primary


def recovered(path: Path, mistake: str, *, stops: bool = False) -> str:
    """Recover, and return what was said."""
    return "\n".join(recover.recover(LAB, path, mistake, stops=stops))


def test_only_the_mistake_is_left_out(primary: Primary) -> None:
    """Notes of before the backup, after it, and after the mistake: all are there, and the deleted ones too."""
    path = backup.backup(LAB)
    primary.write(c="three")
    mistake = primary.delete("a", "c")
    primary.write(d="four")
    said = recovered(path, mistake)
    assert primary.databases == {"site": {"a": "one", "b": "two", "c": "three", "d": "four"}}
    assert "4 notes, 2 came back" in said and "gone" not in said


def test_stopping_before_the_mistake_gives_up_what_came_after_and_says_so(primary: Primary) -> None:
    """It is in the file that is named, as all that the site had."""
    path = backup.backup(LAB)
    mistake = primary.delete("a")
    primary.write(d="four")
    said = recovered(path, mistake, stops=True)
    assert primary.databases["site"] == {"a": "one", "b": "two"} and "1 came back, 1 are gone" in said
    (saved,) = backup_folder.FOLDER.glob("*-before-recovery.sql")
    assert str(saved) in said and "('b','two'),('d','four')" in saved.read_text()


def test_what_is_written_during_the_recovery_stays(primary: Primary) -> None:
    """Visitors write until the site is closed; the last transactions follow then."""
    path = backup.backup(LAB)
    mistake = primary.delete("a")
    primary.when["--skip-gtids"] = lambda: primary.closed or primary.write(**{f"late{len(primary.log)}": "x"})
    primary.write(c="three")
    recovered(path, mistake)
    (late,) = (it for it in primary.databases["site"] if it.startswith("late"))
    assert set(primary.databases["site"]) == {"a", "b", "c", late} and not primary.closed


def test_the_mistake_may_be_a_dropped_table(primary: Primary) -> None:
    """A statement can't be repeated, and need not be."""
    path = backup.backup(LAB)
    primary.write(c="three")
    primary.databases["site"].clear()
    recovered(path, primary.state("TRUNCATE TABLE notes", "site"))
    assert set(primary.databases["site"]) == {"a", "b", "c"}


def test_the_list_shows_what_may_be_a_mistake_by_itself(primary: Primary) -> None:
    """Usual inserts together; accounts without their statements."""
    path = backup.backup(LAB)
    primary.write(c="three")
    primary.write(d="four", e="five")
    primary.state("CREATE USER x IDENTIFIED BY 'secret'")
    mistake = primary.delete("a", "b")
    title, inserts, other, deletes = recover.changes(LAB, path)
    assert title.startswith("4 transactions on web1") and "2 transactions: inserts 3 rows into notes" in inserts
    assert "1 transaction: other" in other and "secret" not in other
    assert deletes.strip() == f"2026-11-28 08:00:05.000  {mistake}  deletes 2 rows of notes"


def refused(primary: Primary, path: Path, mistake: str) -> LabError:
    """The error of a recovery that changes nothing."""
    before = dict(primary.databases["site"])
    with pytest.raises(LabError) as caught:
        recovered(path, mistake)
    assert primary.databases["site"] == before and not primary.closed
    return caught.value


def test_what_builds_on_the_mistake_does_not_fit_without_it(primary: Primary) -> None:
    """A deleted token was written again: the evidence names it, and the way out is to stop before."""
    path = backup.backup(LAB)
    mistake = primary.delete("a")
    primary.write(a="anew")
    error = refused(primary, path, mistake)
    assert isinstance(error, CheckFailed) and "1062" in error.evidence and f"{mistake} --stop-before" in error.hint
    recovered(path, mistake, stops=True)
    assert primary.databases["site"]["a"] == "one"


def test_a_statement_about_the_tables_can_not_be_repeated(primary: Primary) -> None:
    """It would change the live table, or fail in the copy; before it the recovery can stop."""
    path = backup.backup(LAB)
    altered = primary.state("ALTER TABLE notes ADD COLUMN colour INT", "site")
    error = refused(primary, path, primary.delete("a"))
    assert "ALTER TABLE notes" in error.evidence and altered in error.hint


def test_binary_logs_that_were_purged_can_not_continue_a_backup(primary: Primary) -> None:
    """The count, and what is left to do."""
    path = backup.backup(LAB)
    primary.write(c="three")
    mistake = primary.delete("a")
    primary.purged = f"{U1}:1-2"
    error = refused(primary, path, mistake)
    assert "1 transaction since the backup" in error.what and f"invoke db.restore {path}" in error.hint


def test_a_backup_of_another_lab_is_refused(primary: Primary) -> None:
    """Or of this one before a snapshot was restored, or with what a promotion lost."""
    path = backup.backup(LAB)
    path.write_text(path.read_text().replace(U1, U2))
    assert "web1 never had" in refused(primary, path, primary.delete("a")).what


def test_a_snapshot_restored_since_gave_the_same_numbers_to_other_transactions(primary: Primary) -> None:
    """The lab went back before the last note of the backup, and another one has its GTID now."""
    primary.write(c="three")
    path = backup.backup(LAB)
    primary.log.pop()
    del primary.databases["site"]["c"]
    primary.now += 60
    primary.write(x="other")
    error = refused(primary, path, primary.delete("a"))
    assert "put back to a snapshot" in error.what and f"{U1}:2" in error.evidence


@pytest.mark.parametrize("name", ["", "57", f"{U1}:1-5", f"{U1}:1", f"{U1}:999"])
def test_what_is_no_transaction_since_the_backup_is_refused(primary: Primary, name: str) -> None:
    """With the command that lists them."""
    path = backup.backup(LAB)
    primary.delete("a")
    error = refused(primary, path, name)
    assert isinstance(error, BadInput) and f"invoke db.changes {path}" in error.hint


def test_where_commits_hang_the_backup_has_no_position(primary: Primary, capsys: pytest.CaptureFixture[str]) -> None:
    """It is made all the same, for restore; the recovery says what is missing."""
    primary.without_position = True
    path = backup.backup(LAB)
    assert "without its position" in capsys.readouterr().err
    assert isinstance(refused(primary, path, primary.delete("a")), BadInput)


def test_an_interruption_opens_the_site_and_leaves_its_data(primary: Primary) -> None:
    """In the closed part, before the last statement."""
    path = backup.backup(LAB)
    mistake = primary.delete("a")

    def interrupted() -> None:
        if primary.closed:
            raise KeyboardInterrupt

    primary.when["mysqldump"] = interrupted
    with pytest.raises(KeyboardInterrupt):
        recovered(path, mistake)
    assert primary.databases["site"] == {"b": "two"} and not primary.closed
    primary.when.clear()
    recovered(path, mistake)
    assert primary.databases == {"site": {"a": "one", "b": "two"}}, "the rest of the first one is gone too"
