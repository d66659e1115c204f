"""What decides how the lab takes a fault: the lines of its configuration, read from where they count."""

import re
from collections.abc import Iterable
from typing import Any

from lab.machine import Machine
from lab.protections import PROTECTIONS

HAPROXY = "/etc/haproxy/haproxy.cfg"
# A line that begins so, and what it decides.
HAPROXY_LINES = {
    "timeout connect": "how long a visitor waits for a server that is gone before another one is tried",
    "timeout server": "how long a visitor waits for a server that took the request and says nothing",
    "timeout check": "how long a health check may take",
    "retries": "how often a request is tried again",
    "option redispatch": "whether a try may go to another server",
    "retry-on": "which failures of a read are tried again",
    "http-request disable-l7-retry": "what is never sent twice",
    "option http-server-close": "whether a write gets a connection of its own",
    "http-check send": "the question that decides whether a server is UP",
    "server": "how often that is asked, and how many answers turn the decision",
}
SERVER = re.compile(r"inter (\d+)ms fastinter (\d+)ms fall (\d+) rise (\d+)")


def haproxy(balancer: Machine) -> str:
    """HAProxy's configuration as it stands on the node."""
    return balancer.run(f"cat {HAPROXY}", title="reads HAProxy's configuration").stdout


def lines(text: str) -> list[dict[str, Any]]:
    """The deciding lines of HAProxy's configuration, for the report: file, lines, why."""
    stripped = [line.strip() for line in text.splitlines()]
    found = []
    for begin, why in HAPROXY_LINES.items():
        same = [line for line in dict.fromkeys(stripped) if f"{line.removeprefix('no ')} ".startswith(f"{begin} ")]
        if same:
            found.append({"file": "haproxy.cfg", "lines": same, "why": why})
    return found


def missing(without: Iterable[str]) -> list[dict[str, Any]]:
    """What an experiment took away, in the same shape."""
    taken = [(name, PROTECTIONS[name]) for name in without]
    return [
        {"file": f"Not in {it.file} for this run", "lines": list(it.lines), "why": f"{it.says} ({name})"}
        for name, it in taken
    ]


def limits(text: str) -> dict[str, float]:
    """The same as numbers, in seconds."""
    found: dict[str, float] = {}
    server = SERVER.search(text)
    if server:
        inter, fastinter, fall, rise = (int(it) for it in server.groups())
        found |= {"check_inter_s": inter / 1000, "check_fastinter_s": fastinter / 1000, "fall": fall, "rise": rise}
    for name, begin in (("check_timeout_s", "timeout check"), ("connect_s", "timeout connect")):
        value = re.search(rf"^\s*{begin} (\d+)ms", text, re.MULTILINE)
        found |= {name: int(value[1]) / 1000} if value else {}
    server_s = re.search(r"^\s*timeout server (\d+)s", text, re.MULTILINE)
    return found | ({"server_s": float(server_s[1])} if server_s else {})
