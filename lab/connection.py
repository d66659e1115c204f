"""A connection to a node over ssh: made within its deadlines, and lost soon after its other end is."""

import socket
from pathlib import Path

from fabric import Config, Connection

CONNECT_TIMEOUT_S = 3  # the kernel answers at once, however busy the machine is; one that crashed never does
HANDSHAKE_S = 25  # sshd has to start a process for it, and to compute: on a busy emulated node that takes seconds
# A machine that booted anew says so when it is asked: after 15 s, not at the deadline of a command. One that stands
# still is given up after two minutes. tcp(7)
KEEPS_ALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 8}


def connect(name: str, ssh_config: Path) -> Connection:
    """Connect to a node as that file says; raises OSError, EOFError or SSHException where it does not answer."""
    connection = Connection(
        name,
        config=Config(runtime_ssh_path=str(ssh_config)),
        connect_timeout=HANDSHAKE_S,
        connect_kwargs={"allow_agent": False, "look_for_keys": False, "banner_timeout": 30, "auth_timeout": 30},
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
