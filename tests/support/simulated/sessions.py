"""Sessions of simulated servers: each client's statements in order, as long as the client lives."""

import select
import socket
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tests.support.simulated import statements
from tests.support.simulated.errors import LOST, SqlError
from tests.support.simulated.tables import Row

if TYPE_CHECKING:
    from tests.support.simulated.mysql import Server

HELD = "is held up"
FIRST = 100  # smaller numbers are those of the replica's threads


class Session:
    """One client of a server; `text` is its statement and `state` its state. `killed`: it runs no further statement.

    `shell` is the process ID of its client's shell.
    """

    def __init__(self, server: "Server", wire: socket.socket, words: Sequence[str], shell: str) -> None:
        self.server, self.wire, self.words, self.shell = server, wire, words, shell
        self.variables: dict[str, Any] = {}
        self.settings: dict[str, Any] = {"lock_wait_timeout": 31536000, "wait_timeout": 28800, "sql_log_bin": 1}
        self.rest = b""
        self.text, self.state, self.killed, self.user = "", "", False, "root"
        self.waiting, self.ended = False, False
        with server.cluster.lock:
            server.cluster.clients += 1
            self.number = FIRST + server.cluster.clients
            server.sessions[self.number] = self

    @property
    def idle(self) -> bool:
        """Whether its client has sent nothing more."""
        return self.waiting and not self.ended and not select.select([self.wire], [], [], 0)[0]

    def serve(self) -> None:
        """Run the client's statements until they end, one fails, or the client is gone."""
        try:
            for statement in self._statements():
                self._write("1", self._shown(*self._run(statement)))
            self._write("x", ["0"])
        except SqlError as error:
            self._write("2", [str(error)])
            self._write("x", ["1"])
        finally:
            with self.server.cluster.lock:
                del self.server.sessions[self.number]
                self.ended = True
                self.server.cluster.lock.notify_all()

    def _run(self, statement: str) -> statements.Rows:
        server, cluster = self.server, self.server.cluster
        with cluster.lock:
            cluster.visit()
            if self.killed or not server.runs or server.silent:
                raise LOST
            self.text, cluster.runs = statement, self
            self._held(statement)
            cluster.record(server, statement)
            try:
                result = statements.execute(self, statement)
            finally:
                cluster.judge(f"{server.node.name}: {statement}")
                self.text = ""
            if any(words in statement for words in server.unanswered):
                cluster.stalls()
                cluster.lock.wait_for(lambda: cluster.over)
            return result

    def _held(self, statement: str) -> None:
        """Delay the server before a statement."""
        server, cluster = self.server, self.server.cluster
        server.ahead_s += sum(seconds for words, seconds in server.slow.items() if words in statement)
        if any(words in statement for words in server.held):
            cluster.stalls()
            moment, self.state = cluster.moment, HELD
            cluster.lock.notify_all()
            cluster.lock.wait_for(lambda: cluster.moment > moment or cluster.over or self.killed)
            self.state = ""
            if self.killed or cluster.over:
                raise LOST

    def _statements(self) -> Iterator[str]:
        """Each statement once it is complete, as long as the client is there."""
        if "-e" in self.words:
            yield from (it for it in split(f"{self.words[-1]};")[0])
            return
        while True:
            found, self.rest = _complete(self.rest)
            for statement in found:
                self._poll()
                yield statement
            if found:
                continue  # more may have come meanwhile
            if self.rest.strip(b"\n ") == b"\0":
                return
            with self.server.cluster.lock:
                self.waiting = True
                self.server.cluster.lock.notify_all()
            self._receive()
            self.waiting = False

    def _poll(self) -> None:
        while select.select([self.wire], [], [], 0)[0]:
            self._receive()

    def _receive(self) -> None:
        got = self.wire.recv(65536)
        if not got:
            raise LOST
        self.rest += got

    def _write(self, kind: str, lines: Sequence[str]) -> None:
        text = "".join(f"{kind}{line}\n" for it in lines for line in it.split("\n"))
        try:
            self.wire.sendall(text.encode())
        except OSError:
            self.killed = True

    def _shown(self, names: Sequence[str], rows: Sequence[Row]) -> list[str]:
        """The rows as mysql --batch prints them, or --vertical."""
        cells = [["NULL" if it is None else str(it) for it in row] for row in rows]
        if "--vertical" in self.words:
            return [line for n, row in enumerate(cells, 1) for line in _vertical(n, names, row)]
        plain = {"-N", "--skip-column-names"} & set(self.words)
        head = [] if plain or not rows else ["\t".join(names)]
        return head + ["\t".join(it.replace("\n", "\\n") for it in row) for row in cells]


def _vertical(number: int, names: Sequence[str], row: Sequence[str]) -> list[str]:
    width = max(map(len, names))
    stars = "*" * 27
    return [f"{stars} {number}. row {stars}", *(f"{n:>{width}}: {it}" for n, it in zip(names, row, strict=True))]


def _complete(data: bytes) -> tuple[list[str], bytes]:
    """The complete statements in a client's input, and the rest."""
    found, rest = split(data.decode())
    return found, rest.encode()


def split(text: str) -> tuple[list[str], str]:
    """Statements that end in a semicolon outside of quotes, and the rest."""
    found, start, quoted = [], 0, ""
    for at, letter in enumerate(text):
        if quoted:
            quoted = "" if letter == quoted else quoted
        elif letter in "'\"`":
            quoted = letter
        elif letter == ";":
            found.append(text[start:at].strip())
            start = at + 1
    return [it for it in found if it], text[start:]
