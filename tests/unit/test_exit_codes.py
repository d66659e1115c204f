"""The exit codes of commands that hand over to another program, or are interrupted."""

from contextlib import nullcontext
from pathlib import Path

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

import fabfile
import tasks
from lab import lock


def fake_ssh(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Have this bash script be ssh, in a checkout where the lab was up."""
    program = folder / "ssh"
    program.write_text(f"#!/bin/bash\n{script}\n")
    program.chmod(0o755)
    config = folder / "ssh-config"
    config.write_text("Host web1\n  HostName 127.0.0.1\n  LogLevel FATAL\n")
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setattr(tasks, "SSH_CONFIG", config)


def exec_(words: str = "true") -> Exit:
    """How `invoke lab.exec web1 WORDS` ends."""
    with pytest.raises(Exit) as ending:
        tasks.exec_(Context(), "web1", words)
    return ending.value


def test_an_ssh_that_fails_is_a_lab_that_is_not_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Exit code 3, and a message, for ssh itself was told to be quiet."""
    fake_ssh(monkeypatch, tmp_path, "exit 255")
    ending = exec_()
    assert ending.code == 3 and "web1: ssh failed" in str(ending.message) and "invoke lab.status" in str(ending.message)
    with pytest.raises(Exit) as shell:
        tasks.ssh(Context(), "web1")
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
