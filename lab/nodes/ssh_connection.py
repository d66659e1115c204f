"""A connection to a node over ssh: made and used within its deadlines, and lost soon after its other end is."""

import logging
import socket
import time
from pathlib import Path

import paramiko
from fabric import Config, Connection

from lab import progress
from lab.errors import TimedOut
from lab.wait import SAY_EVERY_S

# What it knows it also raises; a thread of its own prints a traceback besides.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)
SHOWN_WIDTH = 100
SEND_POLL_S = 0.5
CONNECT_TIMEOUT_S = 3  # the kernel answers at once, however busy the machine is; one that crashed never does
HANDSHAKE_S = 25  # sshd has to start a process for it, and to compute: on a busy emulated node that takes seconds
# A machine that booted anew says so when it is asked: after 15 s, not at the deadline of a command. One that stands
# still is given up after two minutes. tcp(7)
KEEPS_ALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 8}
# Paramiko's first choice: more to compute for the node, against those who record packets, and these leave no machine.
POST_QUANTUM = "mlkem768x25519-sha256"


def connect(name: str, ssh_config: Path) -> Connection:
    """Connect to a node as that file says; raises OSError, EOFError or SSHException where it does not answer."""
    connection = Connection(
        name,
        config=Config(runtime_ssh_path=str(ssh_config)),
        connect_timeout=HANDSHAKE_S,
        connect_kwargs={
            **{"allow_agent": False, "look_for_keys": False, "banner_timeout": 30, "auth_timeout": 30},
            "disabled_algorithms": {"kex": [POST_QUANTUM]},
        },
    )
    # Paramiko's timeout is one for the connection and the key exchange: the first is made here, with one of its own.
    sock = socket.create_connection((connection.host, connection.port), CONNECT_TIMEOUT_S)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPS_ALIVE.items():
        if hasattr(socket, option):  # macOS has other names
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    connection.connect_kwargs["sock"] = sock
    connection.open()
    return connection


class Patience:
    """A deadline of `timeout` seconds, and a progress line each ten until then."""

    def __init__(self, node: str, title: str, timeout: float) -> None:
        self.node, self.title, self.timeout = node, title, timeout
        self.start = self.reported_at = time.monotonic()

    def look(self, output: bytes) -> None:
        """Say how far it is, by the last line of `output`; raises TimedOut after the deadline."""
        now = time.monotonic()
        lines = output.decode(errors="replace").rstrip().splitlines()
        if now - self.start > self.timeout:
            what = f"{self.node}: {self.title}: not done within {self.timeout:g} s"
            raise TimedOut(what, evidence="\n".join(lines[-10:]))
        if now - self.reported_at >= SAY_EVERY_S:
            step = lines[-1] if lines else self.title
            progress.say(self.node, f"{step[:SHOWN_WIDTH]} ({now - self.start:.0f} s)")
            self.reported_at = now


def send(channel: paramiko.Channel, text: str, patience: Patience) -> None:
    """Send a text: a node that stands still takes some two megabytes, and then no more."""
    rest = memoryview(text.encode())
    channel.settimeout(SEND_POLL_S)
    while rest:
        try:
            rest = rest[channel.send(rest) :]
        except TimeoutError:
            patience.look(b"")
    channel.settimeout(None)
