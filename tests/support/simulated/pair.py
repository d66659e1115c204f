"""The simulated pair in place of the lab's machines, for code that talks to nodes through lab.nodes.ssh."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import pytest

from lab import progress, wait
from lab.mysql import shutdown
from lab.mysql.server_state import Database
from lab.nodes import console, ssh, vm_power
from lab.nodes import site as site_
from lab.nodes.facts import databases_of
from lab.nodes.ssh import Answer, Machine, Shell
from lab.state import credentials
from lab.topology import Lab
from lab.wait import pause
from tests.support.pairs import OPEN, REPLICA, WEB1, WEB2
from tests.support.simulated.cluster import Cluster
from tests.support.simulated.mysql import Server
from tests.support.simulated.nodes import Nodes
from tests.support.simulated.sessions import HELD

T = TypeVar("T")


SHELL_S = 0.3  # what a shell does between two statements takes less
When: TypeAlias = Literal["before", "while it runs", "after"]


class Interruption:
    """An error of one script, the one on `node` that contains `words`; what runs by then goes on without the client."""

    def __init__(self, node: str, words: str, error: BaseException, when: When) -> None:
        self.node, self.words, self.error, self.when = node, words, error, when
        self.happened = False


class Pair(Cluster):
    """Two simulated servers and their nodes; `scripts` were sent to their node, `sent` are the lab's notes."""

    def __init__(self, folder: Path, web1: Database = OPEN, web2: Database = REPLICA) -> None:
        super().__init__(web1, web2)
        self.nodes = Nodes(self, folder)
        for it in self.servers:
            it.files = str(folder / it.node.name / "data")
            self.note(it.node.name, shutdown.STARTED)
            if it.may_write:
                self.note(it.node.name, f"{shutdown.OPENED} 0")
        self.scripts: list[tuple[str, str]] = []
        self.sent: list[str] = []
        self.interruptions: list[Interruption] = []

    @property
    def machines(self) -> Sequence[Machine]:
        """Connections to web1 and web2."""
        return [Machine(WEB1), Machine(WEB2)]

    def writer(self, lab: Lab, known: str) -> str:
        """Replaces site.writer: a note is sent to the server that takes writes."""
        self.sent.append(known)
        return "".join(it for it in self.writable() if self.power[it] == "running")

    def stalls(self) -> None:
        """Tell the shell of the client whose statement runs."""
        if self.runs:
            self.nodes.stall(self.runs.shell)

    def note(self, name: str, line: str) -> None:
        """Add a line to a node's record of its MySQL."""
        self.nodes.note(name, line)

    def boots(self, name: str) -> None:
        """A machine's memory is empty."""
        self.nodes.boot(name)

    def asked(self) -> dict[str, Database | None]:
        """The answers of the servers."""
        return databases_of(self.machines)

    def interrupt(
        self, node: str, words: str, error: BaseException, *, after: bool = False, when: When = "before"
    ) -> Interruption:
        """Let every script with these words fail."""
        self.interruptions.append(Interruption(node, words, error, "after" if after else when))
        return self.interruptions[-1]

    def step(self, node: str, text: str, run: Callable[[], T], begin: Callable[[], None]) -> T:
        """Run a script, or only begin it, with the interruptions intended for it."""
        self.scripts.append((node, text))
        meant = [it for it in self.interruptions if it.node == node and it.words in text]
        _raise(it for it in meant if it.when == "before")
        if any(it.when == "while it runs" for it in meant):
            begin()
            self._reached(self.server(node))
            _raise(iter(meant))
        result = run()
        _raise(it for it in meant if it.when == "after")
        return result

    def _reached(self, server: Server) -> None:
        """Whether a script that was begun has come as far as the server lets it."""
        with self.lock:
            sessions = server.sessions.values()
            assert self.lock.wait_for(lambda: not server.held or any(it.state == HELD for it in sessions), 10)

    def pause(self, seconds: float) -> None:
        """Time passes while a condition is waited for: replicas work."""
        pause(0.001)
        with self.lock:
            self.visit()
            for it in self.servers:
                it.replica.work(seconds)

    def later(self, seconds: float = 120) -> None:
        """Much time passes: commits go on, no applier waits for the rest of a transaction, and sessions are idle."""
        self.moment += 1
        for it in self.servers:
            it.ahead_s += seconds
            it.hangs = False
            it.held.clear()
            it.replica.release()
        for _ in range(2):
            assert self.settle(), "a session still runs a statement"
            pause(SHELL_S)

    def end(self) -> None:
        """End sessions and shells."""
        self.close()
        self.nodes.close()


def _raise(meant: Iterator[Interruption]) -> None:
    for it in meant:
        it.happened = True
        raise it.error


def _begin(machine: Machine, text: str, shell: Shell | None = None, **_: object) -> None:
    """Send a script without waiting for its answer."""
    (shell or machine._shell(30)).sendall(f"{text}\n".encode())


@contextmanager
def installed(monkeypatch: pytest.MonkeyPatch, pair: Pair) -> Iterator[Pair]:
    """Machines, their power states and the site are those of the pair; at the end every statement must be known."""
    script, run_in_shell = Machine.script, Machine.run_in_shell

    def sends(machine: Machine, text: str, *, title: str, **options: Any) -> Answer:
        run, begin = lambda: script(machine, text, title=title, **options), lambda: _begin(machine, text, **options)
        return pair.step(machine.node.name, text, run, begin)

    def sends_in_shell(machine: Machine, text: str, *, title: str, **options: Any) -> Answer:
        run, begin = (
            lambda: run_in_shell(machine, text, title=title, **options),
            lambda: _begin(machine, text, **options),
        )
        return pair.step(machine.node.name, text, run, begin)

    monkeypatch.setattr(ssh, "SSH_CONFIG", Path(__file__))
    monkeypatch.setattr(ssh, "POLL_S", 0.005)
    monkeypatch.setattr(wait, "pause", pair.pause)
    monkeypatch.setattr(Machine, "_shell", lambda machine, timeout: pair.nodes.shell(machine.node.name))
    monkeypatch.setattr(Machine, "script", sends)
    monkeypatch.setattr(Machine, "run_in_shell", sends_in_shell)
    monkeypatch.setattr(vm_power, "states", lambda lab: dict(pair.power))
    monkeypatch.setattr(vm_power, "power_off", pair.power_off)
    monkeypatch.setattr(vm_power, "power_on", pair.power_on)
    monkeypatch.setattr(vm_power, "resume", pair.power_on)
    monkeypatch.setattr(vm_power, "_discard", pair.power_off)
    monkeypatch.setattr(console, "text", lambda node: pair.nodes.console(node.name))
    monkeypatch.setattr(vm_power, "off_because", pair.off)
    monkeypatch.setattr(site_, "writer", pair.writer)
    monkeypatch.setattr(credentials, "passwords", lambda names: dict.fromkeys(names, "secret"))
    monkeypatch.setattr(progress, "say", lambda *_: None)
    try:
        yield pair
        assert pair.unknown == [], pair.unknown
    finally:
        pair.end()
