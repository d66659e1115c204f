"""An ssh connection to a node: opened and used within deadlines; a lost node is noticed soon."""

import logging
import socket
import time
from pathlib import Path

import paramiko
from fabric import Config, Connection

from lab import progress
from lab.errors import TimedOut
from lab.wait import SAY_EVERY_S

# Paramiko also raises its errors; without this its thread would print a traceback as well.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)
SHOWN_WIDTH = 100
SEND_POLL_S = 0.5
CONNECT_TIMEOUT_S = 3  # the kernel answers at once, however busy the machine is; one that crashed never does
HANDSHAKE_S = 25  # sshd starts a process and computes for it: on a busy emulated node that takes seconds
# A machine that rebooted resets the connection at the first keep-alive: after 15 s, not at the deadline of a command. A
# frozen one is given up after two minutes. tcp(7)
KEEPS_ALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 8}
# Paramiko's first choice: more to compute for the node, against those who record packets, and these leave no machine.
POST_QUANTUM = "mlkem768x25519-sha256"


def connect(name: str, ssh_config: Path) -> Connection:
    """Connect to a node with the settings of that file; raise OSError, EOFError or SSHException if that fails."""
    connection = _connection(name, ssh_config)
    # Paramiko has one timeout for TCP connection and key exchange: TCP connects here, with its own shorter timeout.
    sock = _socket(connection)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPS_ALIVE.items():
        if hasattr(socket, option):  # macOS has other names
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    connection.connect_kwargs["sock"] = sock
    connection.open()
    return connection


def listens(name: str, ssh_config: Path) -> bool:
    """Whether the node's kernel accepts a connection on its ssh port; waits for no handshake."""
    try:
        _socket(_connection(name, ssh_config)).close()
    except OSError:
        return False
    return True


def _connection(name: str, ssh_config: Path) -> Connection:
    return Connection(
        name,
        config=Config(runtime_ssh_path=str(ssh_config)),
        connect_timeout=HANDSHAKE_S,
        connect_kwargs={
            **{"allow_agent": False, "look_for_keys": False, "banner_timeout": 30, "auth_timeout": 30},
            "disabled_algorithms": {"kex": [POST_QUANTUM]},
        },
    )


def _socket(connection: Connection) -> socket.socket:
    return socket.create_connection((connection.host, connection.port), CONNECT_TIMEOUT_S)


class Patience:
    """A deadline of `timeout` seconds, with a progress line every ten seconds until then."""

    def __init__(self, node: str, title: str, timeout: float) -> None:
        self.node, self.title, self.timeout = node, title, timeout
        self.start = self.reported_at = time.monotonic()

    def look(self, output: bytes) -> None:
        """Report progress with the last line of `output`; raise TimedOut after the deadline."""
        now = time.monotonic()
        lines = output.decode(errors="replace").rstrip().splitlines()
        if now - self.start > self.timeout:
            what = f"{self.node}: {self.title}: not done within {self.timeout:g} s"
            raise TimedOut(what, evidence="\n".join(lines[-10:]))
        if now - self.reported_at >= SAY_EVERY_S:
            step = lines[-1] if lines else self.title
            progress.still(self.node, step[:SHOWN_WIDTH], self.start)
            self.reported_at = now


def send(channel: paramiko.Channel, text: str, patience: Patience) -> None:
    """Send a text within the deadline: a frozen node accepts about two megabytes, and then no more."""
    rest = memoryview(text.encode())
    channel.settimeout(SEND_POLL_S)
    while rest:
        try:
            rest = rest[channel.send(rest) :]
        except TimeoutError:
            patience.look(b"")
    channel.settimeout(None)
