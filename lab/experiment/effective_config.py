"""The configuration lines that decide how the lab handles a fault, read from the nodes."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lab.durability import MEANS, Durability, durability_sql
from lab.faults.protections import PROTECTIONS
from lab.nodes.ssh import Machine
from lab.release import SERVICES

HAPROXY, MYSQL = Path(SERVICES["haproxy"].conf), Path(SERVICES["mysql"].conf)
# The beginning of a configuration line, and what it decides.
HAPROXY_LINES = {
    "timeout connect": "how long a visitor waits for a server that is down before another one is tried",
    "timeout server": "how long a visitor waits for a server that accepted the request but does not answer",
    "timeout queue": "how long a request waits for a free slot on a server before it is refused",
    "timeout check": "how long a health check may take",
    "retries": "how often a request is tried again",
    "option redispatch": "whether a try may go to another server",
    "retry-on": "which failures of a read are tried again",
    "http-request disable-l7-retry": "which requests are never sent twice",
    "option http-server-close": "whether each write gets a new connection",
    "http-check send": "the health check that decides whether a server is UP",
    "server": "how many requests it gets at once; how often it is checked, and how many results change its state",
}
MYSQL_LINES = {
    "super_read_only": "whether a database accepts writes when it starts, whatever its role was before",
    "innodb_flush_log_at_trx_commit": "whether a commit is on the disk when it returns",
    "sync_binlog": "whether its entry in the binary log, from which the replica copies, is on the disk too",
    "sync_relay_log": "whether a transaction that a replica confirms is on the replica's disk",
    "relay_log_recovery": "whether a replica that starts fetches again what it had received but not applied",
}
SECTION = re.compile(r"(global|defaults|frontend|backend|listen)\b|\[")
SERVER = re.compile(r"inter (\d+)ms fastinter (\d+)ms fall (\d+) rise (\d+)")


def haproxy(balancer: Machine) -> str:
    """HAProxy's configuration file on the node."""
    return balancer.run(f"cat {HAPROXY}", title="reads HAProxy's configuration").stdout


def mysql(database: Machine) -> str:
    """MySQL's configuration file on the node."""
    return database.run(f"cat {MYSQL}", title="reads MySQL's configuration").stdout


def lines(text: str) -> list[dict[str, Any]]:
    """The deciding lines of HAProxy's configuration, for the report: file, lines, and what they decide."""
    return _lines(text, HAPROXY.name, HAPROXY_LINES)


def mysql_lines(text: str, durability: Durability) -> list[dict[str, Any]]:
    """The deciding lines of MySQL's configuration, and the settings of the durability on a running primary."""
    switch = {
        "file": "on the primary",
        "lines": durability_sql(durability).splitlines()[1:],
        "why": MEANS[durability][0],
    }
    return [*_lines(text, MYSQL.name, MYSQL_LINES), switch]


def _lines(text: str, file: str, known: Mapping[str, str]) -> list[dict[str, Any]]:
    """For each known line all that begin so, each below the line of its section, as in the file."""
    found = []
    for begin, why in known.items():
        shown = [line for section, lines in _sections(text) for line in _below(section, lines, begin)]
        if shown:
            found.append({"file": file, "lines": shown, "why": why})
    return found


def _sections(text: str) -> list[tuple[str, list[str]]]:
    """Each section of a configuration with its lines; HAProxy's begin at the margin, MySQL's have brackets."""
    sections: list[tuple[str, list[str]]] = [("", [])]
    for line in text.splitlines():
        if SECTION.match(line):
            sections.append((line.strip(), []))
        else:
            sections[-1][1].append(line.strip())
    return sections


def _below(section: str, lines: Iterable[str], begin: str) -> list[str]:
    same = [line for line in dict.fromkeys(lines) if f"{line.removeprefix('no ')} ".startswith(f"{begin} ")]
    return [section, *(f"    {line}" for line in same)] if section and same else same


def missing(without: Iterable[str]) -> list[dict[str, Any]]:
    """The protections that an experiment runs without, in the same form."""
    taken = [(name, PROTECTIONS[name]) for name in without]
    return [
        {"file": f"Not in {it.file} for this run", "lines": list(it.lines), "why": f"{it.description} ({name})"}
        for name, it in taken
    ]


def limits(text: str) -> dict[str, float]:
    """The time limits of HAProxy's configuration as numbers, in seconds."""
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
