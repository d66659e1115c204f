"""HAProxy's admin socket: how it is asked, and its `show stat` as rows."""

import csv
import io
from collections.abc import Mapping

SOCKET = "socat -t 5 - UNIX-CONNECT:/run/haproxy/admin.sock"


def rows(output: str) -> list[dict[str, str]]:
    """The frontends, backends and servers in the CSV of `show stat`; none if the output is something else.

    https://docs.haproxy.org/3.0/management.html#9.1
    """
    return list(csv.DictReader(io.StringIO(output.removeprefix("# ").strip())))


def status(row: Mapping[str, str]) -> str:
    """HAProxy's term for the state of a server; DRAIN also where the weight is 0, for HAProxy treats both alike.

    HAProxy itself calls only a server DRAIN that was drained over its socket.
    """
    drained = row["status"].startswith("UP") and row["weight"] == "0"
    return "DRAIN" if drained else row["status"]
