"""The connection to a node: commands over ssh, as root, quoted, with their allowed exit codes."""

import shlex
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import paramiko
from fabric import Connection

from lab.errors import CommandFailed, LabError, LabNotUp, TimedOut, Unreachable
from lab.nodes.ssh_connection import Patience, connect, listens, send
from lab.topology import ROOT, Node
from lab.wait import pause

SSH_CONFIG = ROOT / ".lab" / "ssh-config"
SESSION_TIMEOUT_S = 8
POLL_S = 0.02
STARTS_S = 20.0
READY = "=ready="
T = TypeVar("T")
Shell: TypeAlias = paramiko.Channel


@dataclass(frozen=True)
class Answer:
    """The result of a command on a node."""

    exit_code: int
    stdout: str
    stderr: str


class Machine:
    """An SSH connection to a node."""

    def __init__(self, node: Node) -> None:
        if not SSH_CONFIG.exists():
            raise LabNotUp("no lab is up in this checkout", hint="start it: invoke lab.up")
        self.node = node
        self._connection: Connection | None = None
        self._opening = threading.Lock()

    def run(
        self, command: str, *words: object, ok: Sequence[int] = (0,), timeout: float = 30.0, title: str = ""
    ) -> Answer:
        """Run a shell command as root; each %s in it becomes the next of `words`, quoted.

        `timeout` is seconds; `title` names the step in progress lines. Raises CommandFailed,
        TimedOut, or Unreachable when ssh itself fails.
        """
        line = command % tuple(shlex.quote(str(word)) for word in words) if words else command
        return self.script(line, ok=ok, timeout=timeout, title=title or line)

    def script(
        self,
        text: str,
        *,
        ok: Sequence[int] = (0,),
        timeout: float = 30.0,
        title: str,
        shell: Shell | None = None,
    ) -> Answer:
        """Run a bash script as root, sent on standard input so that nothing of it shows in a process list.

        A prepared `shell` runs it at once, as its last script.
        """
        patience = Patience(self.node.name, title, timeout)
        answer = self._guarded(lambda: self._read(self._start(text, patience, shell), patience), title)
        return self._allowed(answer, ok, title)

    def ready(self, text: str, *, timeout: float = 30.0, title: str) -> Shell:
        """Run a bash script as root and return its shell, for scripts that must start without delay."""
        shell = self._guarded(lambda: self._shell(timeout), title)
        self.run_in_shell(text, timeout=timeout, title=title, shell=shell)
        return shell

    def run_in_shell(self, text: str, *, timeout: float = 30.0, title: str, shell: Shell) -> Answer:
        """Run a bash script in a prepared shell, and keep the shell."""
        patience = Patience(self.node.name, title, timeout)
        self._guarded(lambda: send(shell, f"{text}\necho {READY}\n", patience), title)
        answer = self._guarded(lambda: self._read(shell, patience, READY), title)
        return self._allowed(answer, (0,), title)

    def _allowed(self, answer: Answer, ok: Sequence[int], title: str) -> Answer:
        if answer.exit_code not in ok:
            output = "\n".join(filter(None, [answer.stdout.rstrip(), answer.stderr.rstrip()]))
            raise CommandFailed(self.node.name, title, answer.exit_code, output)
        return answer

    def follow(self, text: str, on_line: Callable[[str], None], going: Callable[[], bool], silence: float) -> None:
        """Run a bash script as root that goes on by itself, and pass each of its lines to `on_line` as it comes.

        Ends when `going` returns False; the script's input stays open until then. Raises Unreachable if the script
        ends, ssh fails, or no line came for `silence` seconds (STARTS_S more at the start); silence keeps the
        connection, which other threads use too.
        """
        rest = bytearray()
        try:
            channel = self._shell(STARTS_S)
            send(channel, f"{text}\n", Patience(self.node.name, "begins to watch", STARTS_S))
            last_line_at = time.monotonic() + STARTS_S
            while going():
                if _drain(channel, rest, bytearray()):
                    last_line_at = time.monotonic()
                    _hand_over(rest, on_line)
                elif channel.closed or time.monotonic() - last_line_at > silence:
                    raise EOFError("the script ended" if channel.closed else f"no output for {silence:g} s")
                else:
                    pause(POLL_S)
            channel.close()
        except EOFError as error:
            channel.close()
            raise Unreachable(f"{self.node.name}: can't be observed", evidence=f"{error}") from error
        except (OSError, paramiko.SSHException) as error:
            self.close()
            raise Unreachable(f"{self.node.name}: can't be observed", evidence=f"{error}") from error

    def listens(self) -> bool:
        """Whether the node accepts a new connection on its ssh port; at most three seconds."""
        return listens(self.node.name, SSH_CONFIG)

    def close(self) -> None:
        """Drop the connection, for example after a power-off."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _guarded(self, talk: Callable[[], T], title: str) -> T:
        try:
            return talk()
        except (OSError, EOFError, paramiko.SSHException) as error:
            self.close()
            raise Unreachable(
                f"{self.node.name}: ssh failed during: {title}",
                evidence=f"{type(error).__name__}: {error}",
                hint=f"see what the machine is doing: invoke lab.status, vagrant ssh {self.node.name}",
            ) from error

    def _start(self, text: str, patience: Patience, shell: Shell | None = None) -> paramiko.Channel:
        channel = shell or self._shell(patience.timeout)
        send(channel, text, patience)
        channel.shutdown_write()
        return channel

    def _shell(self, timeout: float) -> paramiko.Channel:
        channel = self._open()
        deadline = threading.Timer(timeout, _end, [channel])  # Paramiko itself waits for the answer without one
        deadline.start()
        try:
            channel.exec_command("sudo -n bash -s")
        finally:
            deadline.cancel()
        return channel

    def _open(self) -> paramiko.Channel:
        with self._opening:
            if self._connection is None or not self._connection.is_connected:
                self._connection = connect(self.node.name, SSH_CONFIG)
            transport = self._connection.transport
            assert transport is not None
            return transport.open_session(timeout=SESSION_TIMEOUT_S)

    def _read(self, channel: paramiko.Channel, patience: Patience, mark: str = "") -> Answer:
        """Read until the script ends or prints the mark."""
        out, err = bytearray(), bytearray()
        while not channel.closed and not (channel.exit_status_ready() and channel.eof_received):
            if mark and mark.encode() in out:
                return Answer(0, out.decode(errors="replace").partition(mark)[0], err.decode(errors="replace"))
            if not _drain(channel, out, err):
                pause(POLL_S)
            try:
                patience.look(bytes(out + err))
            except TimedOut:
                channel.close()
                raise
        while _drain(channel, out, err):
            pass
        if not channel.exit_status_ready() or channel.exit_status == -1:
            raise EOFError("the connection was lost before the command ended")
        return Answer(channel.recv_exit_status(), out.decode(errors="replace"), err.decode(errors="replace"))


def _end(channel: paramiko.Channel) -> None:
    with suppress(EOFError, OSError, paramiko.SSHException):  # if its connection ended first
        channel.close()


def _drain(channel: paramiko.Channel, out: bytearray, err: bytearray) -> bool:
    has_output, has_errors = channel.recv_ready(), channel.recv_stderr_ready()
    if has_output:
        out += channel.recv(65536)
    if has_errors:
        err += channel.recv_stderr(65536)
    return bool(has_output or has_errors)


def _hand_over(rest: bytearray, on_line: Callable[[str], None]) -> None:
    """Pass on the complete lines; keep the incomplete rest until its end has come."""
    *lines, last = rest.split(b"\n")
    rest[:] = last
    for line in lines:
        on_line(line.decode(errors="replace"))


def together(work: Callable[[Machine], T], machines: Sequence[Machine]) -> list[T]:
    """Do the work on all machines at once; if some fail, wait for all and report every error."""
    pool = ThreadPoolExecutor(max_workers=max(1, len(machines)))
    futures = [pool.submit(work, machine) for machine in machines]
    try:
        wait(futures)
    except KeyboardInterrupt:
        for machine in machines:
            machine.close()  # ends what its thread is waiting for
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    broken = [error for future in futures if (error := future.exception())]
    for error in broken:
        if not isinstance(error, LabError):
            raise error
    if len(broken) > 1:
        raise _joined([error for error in broken if isinstance(error, LabError)])
    return [future.result() for future in futures]  # raises the error if one node alone failed


def _joined(errors: Sequence[LabError]) -> LabError:
    joined = type(errors[0]).__new__(type(errors[0]))
    LabError.__init__(joined, f"{len(errors)} nodes failed", evidence="\n".join(map(str, errors)))
    return joined
