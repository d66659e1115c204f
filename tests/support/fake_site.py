"""A site on 127.0.0.1 that remembers every request that reached it, and treats each as it is told."""

import json
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import parse_headers
from io import BufferedIOBase

from lab.wait import pause
from loadtests.content import body

SLOW_S = 1.0
SITE = "www.foobar.com"
VISITS, COOKIE = "/api/visits", "Set-Cookie: PHPSESSID=1; path=/api/visits"
PAGE = f"<html><h1>{SITE}</h1></html>\n"
NOTES = json.dumps({"notes": [{"token": it * 32, "body": ""} for it in "ba"]})


@dataclass(frozen=True)
class Seen:
    """One request; `reused` if its connection had carried one before."""

    method: str
    path: str
    host: str
    body: bytes
    reused: bool
    cookie: str = ""


def as_its_path_says(request: Seen) -> str:
    """The manner that a path names."""
    return request.path.strip("/")


@dataclass
class Site:
    """The site while it runs; nothing is read while it is not `awake`."""

    port: int
    manner: Callable[[Seen], str] = as_its_path_says
    loses_sessions: bool = False
    seen: list[Seen] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    awake: threading.Event = field(default_factory=threading.Event)

    @property
    def host(self) -> str:
        """As Locust is told it."""
        return f"http://127.0.0.1:{self.port}"


class _Connection(socketserver.StreamRequestHandler):
    server: "_Server"

    def handle(self) -> None:
        reused = False
        self.server.site.awake.wait()
        while (request := _read(self.rfile, reused)) is not None:
            self.server.site.seen.append(request)
            if not self.answer(request):
                return
            reused = True

    def answer(self, request: Seen) -> bool:
        """Whether the connection stays."""
        manner = self.server.site.manner(request)
        if manner == "resets":  # closing with zero seconds of linger sends a reset
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if manner in ("resets", "closes"):
            return False
        if manner == "stops-halfway":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            return False
        if manner == "slow":
            pause(SLOW_S)
        status, more = {
            "refuses": ("503 No", "Retry-After: 0"),
            "has-no-room": ("503 No", "Retry-After: 0\r\nX-Refused: queue timeout"),
            "redirects": ("307 There", "Location: /answers"),
            "lacks": ("404 Not Here", "X-Served-By: web1\r\nX-Db: none"),
        }.get(manner, ("201 Created" if request.method == "POST" else "200 OK", "X-Served-By: web1\r\nX-Db: web2"))
        text = "<html>" if manner == "answers-wrongly" else _text(request)
        if request.path == VISITS:
            text, more = _visit(request, self.server.site.loses_sessions), f"{more}\r\n{COOKIE}"
        self.wfile.write(f"HTTP/1.1 {status}\r\n{more}\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())
        if status.startswith("201"):
            self.server.site.acknowledged.append(json.loads(request.body)["token"])
        return manner != "answers-then-closes"


def _text(request: Seen) -> str:
    """What the real site has under that path."""
    if request.path == "/":
        return PAGE
    token = request.path.removeprefix("/api/notes/")
    return json.dumps({"token": token, "body": body(token)}) if token != request.path else NOTES


def _visit(request: Seen, loses: bool) -> str:
    """A visit, as the real site counts it."""
    session = "new" if not request.cookie else "lost" if loses else "kept"
    return json.dumps({"visits": 1 + (session == "kept"), "session": session, "served_by": "web1"})


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 100
    site: Site

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


def _read(stream: BufferedIOBase, reused: bool) -> Seen | None:
    line = stream.readline().decode()
    if not line:
        return None
    method, path, _ = line.split()
    headers = parse_headers(stream)
    body = stream.read(int(headers.get("Content-Length", 0)))
    return Seen(method, path, headers.get("Host", ""), body, reused, headers.get("Cookie", ""))


@contextmanager
def running() -> Iterator[Site]:
    """The site on a free port, until the block ends."""
    with _Server(("127.0.0.1", 0), _Connection) as server:
        server.site = Site(server.server_address[1])
        server.site.awake.set()
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.site
        server.shutdown()
