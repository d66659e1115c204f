"""The connection to a node: its answers, and the errors of a lost connection or a hanging command."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
import pytest

from lab import topology
from lab.errors import CommandFailed, LabNotUp, TimedOut, Unreachable
from lab.nodes import ssh
from lab.nodes.ssh import Machine, together

NODES = topology.load().nodes


class Channel:
    """An ssh channel with paramiko's interface: its output, then how it ended."""

    # ruff: noqa: D102 - the methods are paramiko's, by name and meaning

    def __init__(
        self,
        out: bytes = b"",
        err: bytes = b"",
        code: int = 0,
        *,
        ends: bool = True,
        lost: bool = False,
        takes: int = 99,
    ) -> None:
        self.out, self.err, self.code, self.ends, self.lost, self.takes = out, err, code, ends, lost, takes
        self.sent = b""
        self.command = ""

    @property
    def closed(self) -> bool:
        return self.lost

    @property
    def eof_received(self) -> bool:
        return self.ends and not self.lost

    @property
    def exit_status(self) -> int:
        return -1 if self.lost else self.code

    def exit_status_ready(self) -> bool:
        return self.ends or self.lost

    def recv_exit_status(self) -> int:
        return self.exit_status

    def exec_command(self, command: str) -> None:
        self.command = command

    def settimeout(self, seconds: float | None) -> None: ...

    def send(self, data: memoryview) -> int:
        if not self.takes:
            raise TimeoutError
        self.sent += bytes(data[: self.takes])
        return min(len(data), self.takes)

    def shutdown_write(self) -> None: ...

    def close(self) -> None: ...

    def recv_ready(self) -> bool:
        return bool(self.out)

    def recv_stderr_ready(self) -> bool:
        return bool(self.err)

    def recv(self, size: int) -> bytes:
        data, self.out = self.out, b""
        return data

    def recv_stderr(self, size: int) -> bytes:
        data, self.err = self.err, b""
        return data


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A connection to web1 whose ssh config exists."""
    path = tmp_path / "ssh-config"
    path.write_text("Host web1\n")
    monkeypatch.setattr(ssh, "SSH_CONFIG", path)
    return Machine(NODES[1])


def use_channel(monkeypatch: pytest.MonkeyPatch, channel: Channel) -> Channel:
    """Let the next commands use this channel."""
    monkeypatch.setattr(Machine, "_open", lambda self: channel)
    return channel


def test_words_are_quoted_and_sent_on_standard_input(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the command, nor of a secret in it, is on a command line."""
    channel = use_channel(monkeypatch, Channel(b"ok\n"))
    assert machine.run("cat %s", "a file; rm -rf /").stdout == "ok\n"
    assert channel.command == "sudo -n bash -s"
    assert channel.sent == b"cat 'a file; rm -rf /'"


def test_a_shell_that_is_ready_waits_for_what_it_is_told_next(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One channel for both scripts: a script that must start on time does not wait for a shell to start."""
    shell = use_channel(monkeypatch, Channel(b"=ready=\n", ends=False))
    assert machine.ready("prepare", title="prepares") is shell
    shell.ends = True
    monkeypatch.setattr(Machine, "_open", lambda self: pytest.fail("another channel was opened"))
    assert machine.script("go", title="goes", shell=shell).exit_code == 0
    assert shell.sent == b"prepare\necho =ready=\ngo"


def test_a_shell_that_can_not_get_ready_is_told(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its exit code, like any other script."""
    use_channel(monkeypatch, Channel(b"nginx does not run\n", code=1))
    with pytest.raises(CommandFailed, match=r"(?s)prepares.*exit 1.*nginx does not run"):
        machine.ready("exit 1", title="prepares")


def test_an_exit_code_that_is_not_allowed_shows_the_evidence(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Node, step, exit code and output."""
    use_channel(monkeypatch, Channel(b"out\n", b"disk is full\n", 9))
    with pytest.raises(CommandFailed, match=r"(?s)web1\$ tries.*exit 9.*disk is full"):
        machine.script("false", title="tries")


def test_a_connection_lost_in_the_middle_is_told_at_once(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node rebooted: the command neither hangs until the deadline nor counts as answered."""
    use_channel(monkeypatch, Channel(b"half an ans", lost=True))
    with pytest.raises(Unreachable, match="ssh failed during: tries"):
        machine.script("true", title="tries", timeout=600)


def test_a_command_that_hangs_ends_with_its_last_lines(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its own deadline."""
    use_channel(monkeypatch, Channel(b"step: one\n", ends=False))
    with pytest.raises(TimedOut, match=r"(?s)web1: tries: not done within 0.1 s.*step: one"):
        machine.script("sleep 600", title="tries", timeout=0.1)


def test_a_long_script_is_sent_in_parts(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part is as large as the node accepts."""
    channel = use_channel(monkeypatch, Channel(takes=7))
    machine.script("INSERT INTO notes; " * 10, title="reads the data in")
    assert channel.sent.decode() == "INSERT INTO notes; " * 10


def test_a_script_that_is_not_taken_ends_at_its_deadline(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frozen node accepts two megabytes of a backup, and then no more."""
    use_channel(monkeypatch, Channel(takes=0))
    with pytest.raises(TimedOut, match=r"web1: reads the data in: not done within 0\.1 s"):
        machine.script("INSERT", title="reads the data in", timeout=0.1)


def test_without_a_lab_there_is_no_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the command that creates one."""
    monkeypatch.setattr(ssh, "SSH_CONFIG", tmp_path / "absent")
    with pytest.raises(LabNotUp, match=r"invoke lab\.up"):
        Machine(NODES[0])


def test_several_failures_are_all_told(machine: Machine) -> None:
    """The first one does not hide the others."""

    def fail(it: Machine) -> None:
        raise Unreachable(f"{it.node.name} is gone")

    with pytest.raises(Unreachable, match=r"(?s)2 nodes failed.*web1 is gone.*web2 is gone"):
        together(fail, [machine, Machine(NODES[2])])


def test_a_watch_that_falls_silent_is_told(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node is frozen: the last output must not pass for the current state."""
    monkeypatch.setattr(ssh, "STARTS_S", 0.0)
    channel = use_channel(monkeypatch, Channel(b"one\n", ends=False))
    lines: list[str] = []
    until = time.monotonic() + 2
    with pytest.raises(Unreachable, match="can't be observed"):
        machine.follow("watch", lines.append, lambda: time.monotonic() < until, 0.1)
    assert lines == ["one"] and channel.sent == b"watch\n"


class Freezes(paramiko.ServerInterface):  # type: ignore[misc]
    """An ssh server that opens a session and then freezes."""

    # ruff: noqa: D102 - the methods are paramiko's, by name and meaning

    def __init__(self) -> None:
        self.goes_on = threading.Event()

    def check_auth_none(self, username: str) -> int:
        return int(paramiko.common.AUTH_SUCCESSFUL)

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return int(paramiko.common.OPEN_SUCCEEDED)

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        return self.goes_on.wait(10)


@pytest.fixture
def frozen() -> Iterator[paramiko.Transport]:
    """A connection to such a server."""
    ours, theirs = socket.socketpair()
    server, client, freezes = paramiko.Transport(theirs), paramiko.Transport(ours), Freezes()
    server.add_server_key(paramiko.ECDSAKey.generate())
    server.start_server(threading.Event(), freezes)
    client.start_client(timeout=10)
    client.auth_none("vagrant")
    yield client
    freezes.goes_on.set()
    client.close()
    server.close()


CALLS: dict[str, Callable[[Machine], object]] = {
    "script": lambda machine: machine.script("true", title="tries", timeout=0.1),
    "ready": lambda machine: machine.ready("true", title="tries", timeout=0.1),
    "follow": lambda machine: machine.follow("watch", lambda line: None, lambda: True, 0.1),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_node_that_freezes_before_a_command_begins_ends_it_at_its_deadline(
    machine: Machine, frozen: paramiko.Transport, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Not when TCP gives up, a quarter of an hour later."""
    monkeypatch.setattr(ssh, "STARTS_S", 0.1)
    monkeypatch.setattr(Machine, "_open", lambda self: frozen.open_session(timeout=5))
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"ssh failed during: tries|can't be observed"):
        CALLS[call](machine)
    assert time.monotonic() - began < 5
