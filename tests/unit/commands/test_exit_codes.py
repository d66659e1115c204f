"""The exit codes of commands that hand over to another program, or are interrupted."""

import errno
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

import fabfile
from commands import command, db, experiment, fault, lab
from lab import progress, topology
from lab.analysis import run_folder
from lab.errors import Locked
from lab.faults import ledger
from lab.nodes import lifecycle, vm_power
from lab.operations import clean_snapshot, converge, snapshots
from lab.replication import promote_replica
from lab.state import choices, lock


def fake_ssh(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Have this bash script be ssh, in a checkout where the lab was up."""
    program = folder / "ssh"
    program.write_text(f"#!/bin/bash\n{script}\n")
    program.chmod(0o755)
    config = folder / "ssh-config"
    config.write_text("Host web1\n  HostName 127.0.0.1\n  LogLevel FATAL\n")
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setattr(lab, "SSH_CONFIG", config)
    monkeypatch.setattr(clean_snapshot, "RECORD", folder / "clean.yml")


def test_a_terminal_of_another_alphabet_makes_no_failure_of_a_run_that_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sign of a verdict is in no European encoding of old: a traceback would end with 1, as a failed run does."""
    terminal = TextIOWrapper(BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", terminal)
    command.say("\u2713 PASS  Größe")
    assert terminal.buffer.getvalue() == "? PASS  Größe\n".encode("latin-1")


def exec_(words: str = "true") -> Exit:
    """How `invoke lab.exec web1 WORDS` ends."""
    with pytest.raises(Exit) as ending:
        lab.exec_(Context(), "web1", words)
    return ending.value


def test_an_ssh_that_fails_is_a_lab_that_is_not_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Exit code 3, and a message, for ssh itself was told to be quiet."""
    fake_ssh(monkeypatch, tmp_path, "exit 255")
    ending = exec_()
    assert ending.code == 3 and "web1: ssh failed" in str(ending.message) and "invoke lab.status" in str(ending.message)
    with pytest.raises(Exit) as shell:
        lab.ssh(Context(), "web1")
    assert shell.value.code == 3


def test_a_remote_commands_exit_code_is_handed_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All but ssh's own."""
    fake_ssh(monkeypatch, tmp_path, "exit 7")
    assert exec_().code == 7


def test_a_frozen_node_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The real ssh says which settings it would use."""
    fake_ssh(monkeypatch, tmp_path, f'PATH=${{PATH#"{tmp_path}":}} exec ssh -G "$@"')
    assert exec_("id -un").code == 0
    settings = capfd.readouterr().out.splitlines()
    assert {"connecttimeout 8", "serveraliveinterval 5", "serveralivecountmax 3"} <= set(settings)


def test_an_interrupted_role_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 130, as for every command of invoke."""

    def everything(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lock, "held", nullcontext)
    monkeypatch.setattr(fabfile, "everything", everything)
    with pytest.raises(Exit) as ending:
        fabfile.ns["web"](Context())
    assert ending.value.code == 130 and "interrupted" in str(ending.value.message)


def test_whoever_interrupts_reads_what_still_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines as they are, and a fault that is still active, with the command that undoes it."""
    monkeypatch.setattr(vm_power, "states", lambda _: {"web1": "running", "web2": "paused"})
    monkeypatch.setattr(ledger, "entries", lambda: [{"id": "web2-freeze"}])
    assert command._standing(command.AGAIN) == (
        "web1 is running, web2 is paused; active: web2-freeze (undo: invoke fault.heal); "
        "run the command again to complete it"
    )


@pytest.mark.parametrize(
    ("interrupted", "is_completed"),
    [
        (lambda: db.backup_(Context()), True),
        (lambda: experiment.run(Context(), "control"), False),
        (lambda: fault.inject(Context(), "freeze", "web2"), False),
        (lambda: fault.list_(Context()), False),
    ],
    ids=["a backup", "an experiment", "a fault", "a list"],
)
def test_an_interrupted_command_promises_only_what_is_true(
    monkeypatch: pytest.MonkeyPatch, interrupted: Callable[[], None], is_completed: bool
) -> None:
    """An experiment does not go on where it was, and a command that only looks has nothing to complete."""

    def load() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lock, "held", nullcontext)
    monkeypatch.setattr(vm_power, "states", lambda _: {})
    monkeypatch.setattr(command, "_standing", lambda then="": f"web1 is running; {then}")
    monkeypatch.setattr(topology, "load", load)
    monkeypatch.setattr(ledger, "entries", load)
    with pytest.raises(Exit) as ending:
        interrupted()
    assert ending.value.code == 130
    assert ("run the command again to complete it" in str(ending.value.message)) == is_completed


def test_an_interrupted_converge_names_the_nodes_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are finished, those that are not and what they did, also without a terminal; then the command."""

    def everything(*_: object, **__: object) -> None:
        with progress.display(["lb1", "web1", "web2"], "is asked what is there"):
            progress.say("web1", "changes 3 files")
            progress.done("lb1", "is as it should be")
            raise KeyboardInterrupt

    monkeypatch.setattr(progress, "_interrupted", {})
    monkeypatch.setattr(lock, "held", nullcontext)
    monkeypatch.setattr(vm_power, "states", lambda _: {"lb1": "running"})
    monkeypatch.setattr(converge, "everything", everything)
    with pytest.raises(Exit) as ending:
        lab.provision(Context())
    message = str(ending.value.message)
    assert "finished: lb1; not finished: web1 (changes 3 files), web2 (is asked what is there)" in message
    assert ending.value.code == 130 and "next: invoke lab.provision" in message


def test_what_an_error_ended_is_not_told_as_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has a message of its own."""
    monkeypatch.setattr(progress, "_interrupted", {})
    with pytest.raises(Locked), progress.display(["lb1"], "is asked"):
        raise Locked("no")
    assert progress.interrupted() == ""


@pytest.mark.parametrize("value", ["async", "available", "durable"])
def test_a_choice_of_durability_says_what_it_means_in_three_lines(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """What was done, when a COMMIT returns now, and what that costs."""
    messages: list[str] = []
    monkeypatch.setattr(lock, "held", nullcontext)
    monkeypatch.setattr(lifecycle, "running", lambda *_: [])
    monkeypatch.setattr(choices, "save", lambda **_: None)
    monkeypatch.setattr(db, "set_durability", lambda *_: [f"commits on web1 are {value}"])
    monkeypatch.setattr(db, "say", messages.append)
    db.durability(Context(), value)
    lines = messages[0].splitlines()
    assert lines[0] == f"commits on web1 are {value}" and len(lines) == 3 and lines[1].startswith("a COMMIT returns")


@pytest.mark.parametrize(
    ("number", "message"), [(errno.ENOSPC, "no room"), (errno.EDQUOT, "no room"), (errno.EACCES, "this user may not")]
)
def test_a_full_disk_and_another_users_files_are_told(
    monkeypatch: pytest.MonkeyPatch, number: int, message: str
) -> None:
    """Exit code 3, for 1 is that of a run that failed; any other trouble with files is a bug and shows itself."""

    def find(*_: object) -> Path:
        raise OSError(trouble, os.strerror(trouble), "runs/x/report.html")

    monkeypatch.setattr(run_folder, "find", find)
    trouble = number
    with pytest.raises(Exit) as ending:
        experiment.report_(Context(), "latest")
    assert ending.value.code == 3 and message in str(ending.value.message)
    assert "runs/x/report.html" in str(ending.value.message)
    trouble = errno.EISDIR
    with pytest.raises(IsADirectoryError):
        experiment.report_(Context(), "latest")


def test_two_experiments_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 7 and the name of the first, before anything is looked up or changed."""

    def held() -> None:
        raise Locked("locked by `invoke experiment.run control`")

    monkeypatch.setattr(lock, "held", held)
    with pytest.raises(Exit) as ending:
        experiment.run(Context(), "no-such-experiment")
    assert ending.value.code == 7 and "experiment.run control" in str(ending.value.message)


def test_nothing_is_promoted_after_half_a_restore(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Exit code 1 and the way out; reset and destroy are let in."""
    monkeypatch.setattr(lock, "held", partial(lock.held, tmp_path / "lock"))
    snapshots.RESTORING.write_text("one")
    with pytest.raises(Exit) as ending:
        db.promote(Context(), "web2")
    assert ending.value.code == 1 and "invoke lab.restore one" in str(ending.value.message)
    with pytest.raises(Exit, match="snapshot one was put back in part"):
        fault.heal(Context())
    with pytest.raises(Exit, match="snapshot one was put back in part"):
        fabfile.ns["database"](Context())
    monkeypatch.setattr(clean_snapshot, "reset", lambda lab, roles: [])
    lab.reset(Context())


def test_a_promotion_while_a_rejoin_runs_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Exit code 7 and what runs, before any database is asked; when that is over, the promotion is let in."""
    monkeypatch.setattr(lock, "held", partial(lock.held, tmp_path / "lock"))
    monkeypatch.setattr(promote_replica, "promote", lambda lab, name, **_: [f"{name} is the primary"])
    monkeypatch.setattr(sys, "argv", ["/lab/.venv/bin/invoke", "db.rejoin", "web1"])
    with lock.held(), pytest.raises(Exit) as ending:
        db.promote(Context(), "web2")
    message = str(ending.value.message)
    assert ending.value.code == 7 and "locked by `invoke db.rejoin web1`" in message and "next: wait for it" in message
    db.promote(Context(), "web2")
