"""A DNS question to the lab's name server, as `dig @lb1 www.foobar.com` asks it."""

import socket
import struct

from lab.errors import Unreachable
from lab.nodes import route
from lab.topology import Lab

PORT, LONGEST = 53, 512
TRIES = 2  # a datagram may get lost
ID, RECURSIVE = 7, 0x100
ADDRESS_IN = b"\0\1\0\1"  # type A, class IN: https://www.rfc-editor.org/rfc/rfc1035#section-4.1.2
HEADER = struct.Struct(">6H")


def resolve(lab: Lab, name: str, timeout: float) -> str:
    """The address of a name, '' if the server knows none; raises Unreachable if it does not answer in `timeout` s."""
    server = str(lab.having("nameserver")[0].ip)
    route.guard(lab, server)
    for left in range(TRIES, 0, -1):
        try:
            return _address(server, name, timeout / TRIES)
        except OSError as error:
            if left == 1:
                raise Unreachable(f"no answer of the name server {server}", evidence=f"{error}") from error
    return ""


def _address(server: str, name: str, timeout: float) -> str:
    labels = b"".join(bytes([len(word)]) + word.encode() for word in name.split("."))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(timeout)
        udp.connect((server, PORT))
        udp.send(HEADER.pack(ID, RECURSIVE, 1, 0, 0, 0) + labels + b"\0" + ADDRESS_IN)
        answer = udp.recv(LONGEST)
    answers = HEADER.unpack(answer[: HEADER.size])[3]
    return socket.inet_ntoa(answer[-4:]) if answers else ""
