"""Two simulated servers, the visitors who write to them, and the record of what happened.

There are as many visitors as possible: before each statement, every server that takes writes commits one.
"""

import socket
import threading
from collections.abc import Sequence
from contextlib import suppress

from lab.mysql.server_state import Database
from lab.topology import Node
from tests.support.pairs import OPEN, REPLICA, WEB1, WEB2
from tests.support.simulated import programs
from tests.support.simulated.errors import SqlError
from tests.support.simulated.gtid_sets import minus
from tests.support.simulated.mysql import Server
from tests.support.simulated.sessions import Session
from tests.support.simulated.statements import READS


class Cluster:
    """The pair, its power states, and the record; `cut`: the servers can't reach each other,
    and `noticed`: a receiver reports that it can't reach its source.

    `mute`: nodes that run and do not answer, until their power is off.

    `events`: servers opened, closed and powered off, in order. `changes`: the statements that change something, with
    their server. `two_writable`: after which statements two servers took writes. `acknowledged`: writes acknowledged to
    visitors; `may_lose`: a test wants to lose some. `unknown`: statements that the simulation has no rule for.
    """

    def __init__(self, web1: Database = OPEN, web2: Database = REPLICA) -> None:
        self.lock = threading.Condition(threading.RLock())
        self.power = {"lb1": "running", "web1": "running", "web2": "running"}
        self.off_because: dict[str, str] = {}
        self.unreached: dict[str, list[str]] = {}
        self.mute: set[str] = set()
        self.noticed = False
        self.cut, self.over, self.clients, self.moment = False, False, 0, 0
        self.servers: list[Server] = []
        self.web1, self.web2 = Server(self, WEB1, web1), Server(self, WEB2, web2)
        self.servers += [self.web1, self.web2]
        self.events: list[str] = []
        self.changes: list[tuple[str, str]] = []
        self.two_writable: list[str] = []
        self.unknown: list[str] = []
        self.acknowledged, self.may_lose = "", False
        self._open = self.writable()
        self.runs: Session | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._wires: list[socket.socket] = []
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def begin(self) -> None:
        """Start the record with the servers as they are now."""
        self._open = self.writable()
        self.events.clear()

    def server(self, name: str) -> Server:
        """The server on a node."""
        return next(it for it in self.servers if it.node.name == name)

    def writable(self) -> list[str]:
        """The servers that take writes, or will when their machine resumes."""
        return [it.node.name for it in self.servers if it.may_write]

    def visit(self) -> None:
        """One visitor's write for each server that takes writes."""
        for it in self.servers:
            it.commit()

    def lost(self, name: str) -> str:
        """The acknowledged transactions that a server lacks."""
        return minus(self.acknowledged, self.server(name).executed)

    def record(self, server: Server, statement: str) -> None:
        """Keep a statement that is about to run; raise SqlError if a test asks for that."""
        if not READS.fullmatch(statement):
            self.changes.append((server.node.name, statement))
        for words, error in server.refused.items():
            if words in statement:
                raise error

    def stalls(self) -> None:
        """The running statement is about to take longer than its client waits."""

    def note(self, name: str, line: str) -> None:
        """Add a line to a node's record of its MySQL."""

    def boots(self, name: str) -> None:
        """A machine's system is about to start."""

    def not_taught(self, text: str) -> SqlError:
        """The error for an unknown statement, which the test must not swallow."""
        self.unknown.append(text)
        return SqlError(1064, f"the simulated server does not know: {text}")

    def statements(self, name: str, words: str) -> list[str]:
        """The statements with these words that changed something on a node."""
        return [text for node, text in self.changes if node == name and words in text]

    def judge(self, cause: str) -> None:
        """Record which servers are open now."""
        now = self.writable()
        self.events += [f"{it} closed" for it in self._open if it not in now]
        self.events += [f"{it} opened" for it in now if it not in self._open]
        if len(now) > 1 and self._open != now:
            self.two_writable.append(cause)
        self._open = now
        self.lock.notify_all()

    def crash(self, server: Server) -> None:
        """MySQL ends at once, and its machine goes on."""
        with self.lock:
            if server.runs:
                server.kill()
                self.note(server.node.name, "exited signal killed KILL")
            self.judge("MySQL was killed")

    def power_off(self, node: Node) -> None:
        """Cut a machine's power."""
        with self.lock:
            self.power[node.name], self.off_because[node.name] = "off", "destroyed"
            self.mute.discard(node.name)
            self.events.append(f"{node.name} powered off")
            self.server(node.name).kill()
            self.judge("power off")

    def off(self, node: Node) -> str:
        """Why a machine is off; '' if it is not."""
        return self.off_because.get(node.name, "destroyed") if self.power[node.name] == "off" else ""

    def power_on(self, node: Node) -> None:
        """Start a machine; MySQL starts with it."""
        with self.lock:
            if self.power[node.name] == "off":
                self.boots(node.name)
            self.power[node.name] = "running"
            self.events.append(f"{node.name} powered on")
            self.server(node.name).start()
            self.judge("power on")

    def settle(self, seconds: float = 5) -> bool:
        """Wait until no session runs anything; return whether that is so."""
        with self.lock:
            all_ = [session for it in self.servers for session in it.sessions.values()]
            return self.lock.wait_for(lambda: all(it.idle or it.ended for it in all_), seconds)

    def close(self) -> None:
        """End every session."""
        with self.lock:
            self.over = True
            self.lock.notify_all()
        _shut(self._listener)
        self._listener.close()
        for wire in self._wires:
            _shut(wire)  # its thread closes it

    def _listen(self) -> None:
        while not self.over:
            try:
                wire, _ = self._listener.accept()
            except OSError:
                return
            self._wires.append(wire)
            threading.Thread(target=self._serve, args=[wire], daemon=True).start()

    def _serve(self, wire: socket.socket) -> None:
        """Serve one program of a node: MySQL's client gets a session, the others are answered at once."""
        try:
            (node, shell, *words), rest = _words(wire)
            code, text = programs.answer(self, node, words)
            if text is None:
                session = Session(self.server(node), wire, words, shell)
                session.rest = rest
                session.serve()
            else:
                wire.sendall(f"{text}x{code}\n".encode())
        except OSError:
            pass
        finally:
            wire.close()


def _words(wire: socket.socket) -> tuple[Sequence[str], bytes]:
    """The arguments of a program up to an empty word, and the input after that.

    A stranger is rejected: a Locust worker tries its master's port again, which the system may have given to us.
    """
    data = b""
    while b"\0\0" not in data:
        got = wire.recv(65536)
        if not got:
            raise OSError("the client is gone")
        data += got
    head, _, rest = data.partition(b"\0\0")
    try:
        return head.decode().split("\0"), rest
    except UnicodeDecodeError as error:
        raise OSError("no program of a node") from error


def _shut(wire: socket.socket) -> None:
    with suppress(OSError):  # it is already closed
        wire.shutdown(socket.SHUT_RDWR)
