"""A client that waits on a node: the bash around it, run on this machine with a script as the client."""

from pathlib import Path
from typing import Any

import pytest

from lab.nodes.ssh import Answer
from lab.replication import session
from tests.support.fake_node import bash, fake, places

__all__ = ["places"]  # the fixture that puts a fake node's commands first

# Answers 'no' to a forbidden statement and ends, as the real one does; never answers if the statement says so.
CLIENT = """while IFS= read -r line; do case "$line" in
  *BAD*) echo "ERROR 1205 (HY000) at line 1: Lock wait timeout exceeded" >&2; exit 1 ;;
  *HANG*) sleep 9 ;;
  *EMPTY*) echo ;;
  *"CONNECTION_ID();") echo 7 ;;
  *) echo "$line" ;;
esac; done"""


class Double:
    """A node that keeps the text of its prepared shells."""

    def ready(self, text: str, **_: object) -> str:
        """The shell is just its text here."""
        return text

    def run_in_shell(self, script: str, before: str = "") -> Answer:
        """Run a script in a shell with a ready client."""
        node: Any = self
        done = bash(f"{session.client(node, before)}\n{script}")
        return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Double:
    """A node with that client."""
    monkeypatch.setattr(session, "_KEEP", session._KEEP.replace(session.CLIENTS, str(tmp_path / "clients")))
    fake(tmp_path, "mysql", CLIENT)
    return Double()


def test_a_statement_gets_its_line_of_answer(machine: Double) -> None:
    """Quotes and several statements arrive unchanged; an empty answer counts as one."""
    asked, empty = session.query("SET x; SELECT 'a b'", 5), session.query("EMPTY", 5)
    done = machine.run_in_shell(f'{asked}\necho "<$reply>"')
    assert (done.exit_code, done.stdout) == (0, "<SET x; SELECT 'a b';>\n")
    assert machine.run_in_shell(f'{empty}\necho "<$reply>"').stdout == "<>\n"


def test_an_error_of_the_server_ends_the_script_after_what_undoes_it(machine: Double) -> None:
    """With the server's own message."""
    done = machine.run_in_shell(f"{session.query('BAD', 5, 'echo undone; exit 6')}\necho went on")
    assert done.exit_code == 6
    assert "Lock wait timeout exceeded" in done.stdout and done.stdout.endswith("undone\n")


def test_a_server_that_says_nothing_is_not_waited_for_without_end(machine: Double) -> None:
    """The timeout is that of the statement."""
    done = machine.run_in_shell(session.query("HANG", 1))
    assert (done.exit_code, done.stdout) == (5, "MySQL: no answer within 1 s\n")


@pytest.mark.parametrize(("statement", "ends"), [("HANG", True), ("SET x", False)], ids=["gives up", "is done"])
def test_who_gives_up_ends_its_session_on_the_server(
    tmp_path: Path, machine: Double, statement: str, ends: bool
) -> None:
    """Its number is removed afterwards: a later server could give it to another session."""
    machine.run_in_shell(session.query(statement, 1))
    assert ("KILL 7" in (tmp_path / "calls").read_text(encoding="utf-8")) == ends
    assert list((tmp_path / "clients").iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "ended"), [("true", True), ("echo 'ERROR 1094 (HY000): Unknown'; false", True), ("false", False)]
)
def test_a_session_that_can_not_be_ended_is_not_forgotten(tmp_path: Path, answer: str, ended: bool) -> None:
    """The next command tries again; a session that ended by itself counts as ended."""
    fake(tmp_path, "mysql", f"{answer} >&2")
    file = tmp_path / "clients" / "1234567"
    file.parent.mkdir()
    file.write_text("7\n")
    here = (session.END_ALL + "\n" + session.ALL_ENDED).replace(session.CLIENTS, str(file.parent))
    assert (bash(here).returncode == 0, file.exists()) == (ended, not ended)


@pytest.mark.parametrize(("answer", "exit_code"), [("0", 0), ("1", session.NOT_CAUGHT_UP)])
def test_what_was_not_executed_in_time_stops_everything_that_follows(
    tmp_path: Path, machine: Double, answer: str, exit_code: int
) -> None:
    """MySQL says 1 for 'not in time'."""
    fake(tmp_path, "mysql", f'while read -r line; do case "$line" in *WAIT*) echo {answer} ;; *) echo 1 ;; esac; done')
    done = machine.run_in_shell(session.wait_for("'a:1-5'", 3) + "\necho opens")
    assert (done.exit_code, "opens" in done.stdout) == (exit_code, exit_code == 0)


def test_a_client_that_can_not_connect_is_told_before_anything_is_changed(tmp_path: Path, machine: Double) -> None:
    """Its error is reported, and no script runs."""
    fake(tmp_path, "mysql", "echo 'ERROR 2002 (HY000): no socket' >&2; exit 1")
    done = machine.run_in_shell("echo changed")
    assert done.exit_code == 5 and "no socket" in done.stdout and "changed" not in done.stdout
