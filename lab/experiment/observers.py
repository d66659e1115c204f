"""The observers of an experiment: balancer, databases, services and power of the nodes, on this machine's clock.

Each observer has one ssh channel for the whole run, over which its script reports repeatedly. If an observer sees
nothing, that is an entry too ('blind'), and the observer is opened again every second.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from lab import clock
from lab.analysis.timeline import Entry
from lab.errors import LabError
from lab.mysql import server_state
from lab.nodes import facts, vm_power
from lab.nodes.ssh import Machine
from lab.topology import Lab, Node
from lab.wait import pause

END_OF_SAMPLE = "=complete="
BALANCER_S, DATABASE_S, SERVICES_S, POWER_S = 0.25, 1.0, 1.0, 1.0
SILENCE_S, AGAIN_S, BEFORE_NEXT_S = 4.0, 1.0, 0.1
CLIENT_S = 120  # MySQL's client does not notice a lost connection: it is replaced, or the script ends, after this time
OPENS_S, JOIN_S = 30.0, 15.0
KINDS = {"balancer": "servers", "database": "state", "writable": "state", "service": "services"}
Write = Callable[[Entry], None]
Read = Callable[[str, str], dict[str, Any] | None]

# Starting a program costs an emulated processor 30 ms. So the clients stay open and bash feeds them, bash waits with
# `read` instead of sleep, and the states of services are read from the kernel. A script ends with its input, which is
# open as long as its connection: an observer that is over leaves no process that uses the node's processor.
_WAIT = 'rest() { read -rt "$1" _; (($? > 128)) || exit 0; }\n'

# In prompt mode HAProxy accepts one command after the other, and ends each answer with an empty line.
_BALANCER = f"""{_WAIT}while true; do
  {{ echo prompt; while echo 'show stat -1 6 -1'; do rest {BALANCER_S}; done; }} |
    socat - UNIX-CONNECT:/run/haproxy/admin.sock 2>&1
  echo || exit
  rest {AGAIN_S}
done"""

_ASKS = f"""
SELECT 1 AS '{END_OF_SAMPLE}';"
while true; do
  while printf '%s\\n' "$ask"; do rest {DATABASE_S}; done |
    timeout {CLIENT_S} mysql --unbuffered --connect-timeout=2 --vertical 2>&1
  echo "{END_OF_SAMPLE}" || exit
  rest {BEFORE_NEXT_S}
done"""

_DATABASE = f"""{_WAIT}ask="SELECT @@version AS version, @@server_uuid AS uuid, @@global.read_only AS read_only,
@@global.gtid_executed AS gtid_executed, 1 AS has_site, @@global.rpl_semi_sync_source_enabled AS semi_sync;
SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_source_status';
SHOW REPLICA STATUS;{_ASKS}"""

# A separate query, because SHOW REPLICA STATUS waits while a replica is started or stopped. `for_s`: how long ago the
# variable was SET, or the server started. Setting super_read_only also sets read_only.
# https://dev.mysql.com/doc/refman/8.4/en/performance-schema-variables-info-table.html
_WRITABLE = f"""{_WAIT}ask="SELECT @@global.read_only AS read_only, IFNULL(
TIMESTAMPDIFF(MICROSECOND, (SELECT MAX(set_time) FROM performance_schema.variables_info
 WHERE variable_name IN ('read_only', 'super_read_only')), NOW(6)) / 1000000,
(SELECT variable_value FROM performance_schema.global_status WHERE variable_name = 'Uptime')) AS for_s;{_ASKS}"""

_SERVICES = f"""{_WAIT}units=$(systemctl show -p Id --value %s | sed '/^$/d')
while true; do
  for unit in $units; do
    state=inactive pid=
    procs=/sys/fs/cgroup/system.slice/$unit/cgroup.procs
    if [ -e $procs ] && read -r pid < $procs && read -r about < /proc/$pid/stat; then
      case "${{about##*) }}" in T*) state=stopped ;; *) state=active ;; esac
    fi
    echo "$unit $state"
  done 2>/dev/null
  echo "{END_OF_SAMPLE}" || exit
  rest {SERVICES_S}
done"""


@dataclass(frozen=True)
class Observer:
    """An observer of a node: its script, the line that ends a sample, and the function that reads a sample."""

    name: str
    node: Node
    script: str
    end: str
    read: Read


def observers(lab: Lab) -> list[Observer]:
    """All observers that run a script on a node."""
    looking = [Observer("balancer", it, _BALANCER, "", _balancer) for it in lab.having("balancer")]
    looking += [Observer("database", it, _DATABASE, END_OF_SAMPLE, _database) for it in lab.having("database")]
    looking += [Observer("writable", it, _WRITABLE, END_OF_SAMPLE, _writable) for it in lab.having("database")]
    return looking + [
        Observer("service", it, _SERVICES % facts.units(it.roles), END_OF_SAMPLE, _services) for it in lab.nodes
    ]


@contextmanager
def watching(lab: Lab, machines: Sequence[Machine], write: Write) -> Iterator[None]:
    """Watch the lab until the block ends; every sample is passed to `write`, from several threads.

    The block begins when each observer is open, or after OPENS_S: opening them during load can take a server out.
    All observers of a node share its connection: opening another one costs an emulated processor seconds.
    """
    leave = threading.Event()
    machine = {machine.node: machine for machine in machines}
    opened = {observer: threading.Event() for observer in observers(lab)}
    threads = [
        threading.Thread(
            target=_watch, args=(observer, machine[observer.node], _noted(write, event), leave), daemon=True
        )
        for observer, event in opened.items()
    ]
    threads.append(threading.Thread(target=_watch_power, args=(lab, write, leave), daemon=True))
    for thread in threads:
        thread.start()
    try:
        latest = time.monotonic() + OPENS_S
        for event in opened.values():
            event.wait(max(0.0, latest - time.monotonic()))
        yield
    finally:
        leave.set()
        for thread in threads:
            thread.join(JOIN_S)


def _noted(write: Write, opened: threading.Event) -> Write:
    def both(entry: Entry) -> None:
        write(entry)
        opened.set()

    return both


def clock_errors(machines: Sequence[Machine], rounds: int = 3) -> list[Entry]:
    """The difference of each node's clock from this machine's, measured with the fastest of several answers.

    The uncertainty is half of that answer's round-trip time, in seconds.
    """
    return [Entry(clock.now(), "lab", "clock", _clock_error(machine, rounds)) for machine in machines]


def _clock_error(machine: Machine, rounds: int) -> dict[str, Any]:
    best = (float("inf"), 0.0)
    for _ in range(rounds):
        asked = clock.now()
        reported = float(machine.run("date +%s.%N", title="reads the clock").stdout)
        answered = clock.now()
        best = min(best, (answered - asked, reported - (asked + answered) / 2))
    return {"node": machine.node.name, "error_s": round(best[1], 3), "uncertainty_s": round(best[0] / 2, 3)}


class Samples:
    """Divides the lines of an observer into samples; each is passed to `write` with the arrival time of its first line.

    A sample gets the time of its first answer because the last query of a database, SHOW REPLICA STATUS, waits while a
    replica is being started, and the @@read_only that was read before it would seem newer than it is.
    """

    def __init__(self, observer: Observer, write: Write) -> None:
        self.observer, self.write = observer, write
        self.lines: list[str] = []
        self.began = 0.0

    def take(self, line: str) -> None:
        """Take one line; the last line of a sample completes an entry."""
        line = line.removeprefix("> ")
        self.began = self.began if self.lines else clock.now()
        ends = line.startswith(self.observer.end) if self.observer.end else not line.strip()
        if not ends:
            self.lines.append(line)
        elif self.lines:
            seen = self.observer.read(self.observer.node.name, "\n".join(self.lines))
            why = next((it for it in reversed(self.lines) if it.strip()), "no answer")
            self.lines.clear()
            self.write(_entry(self.observer, self.began, seen, why))

    def lost(self, error: LabError) -> None:
        """Record that the observer was closed, and drop its incomplete sample."""
        self.lines.clear()
        self.write(_entry(self.observer, clock.now(), None, error.evidence or error.what))


def _watch(observer: Observer, machine: Machine, write: Write, leave: threading.Event) -> None:
    samples = Samples(observer, write)
    while not leave.is_set():
        try:
            machine.follow(observer.script, samples.take, lambda: not leave.is_set(), SILENCE_S)
        except LabError as error:
            samples.lost(error)
            leave.wait(AGAIN_S)


def _entry(observer: Observer, at: float, seen: dict[str, Any] | None, why: str) -> Entry:
    if seen is None:
        return Entry(at, observer.name, "blind", {"node": observer.node.name, "why": why[:200]})
    return Entry(at, observer.name, KINDS[observer.name], seen)


def _watch_power(lab: Lab, write: Write, leave: threading.Event) -> None:
    while not leave.wait(POWER_S):
        try:
            for name, state in vm_power.states(lab).items():
                write(Entry(clock.now(), "node", "state", {"node": name, "power": state}))
        except LabError as error:
            write(Entry(clock.now(), "node", "blind", {"node": "", "why": error.what}))
            pause(AGAIN_S)


def _balancer(node: str, text: str) -> dict[str, Any] | None:
    rows = facts.servers(text) if "pxname" in text else []
    return {"servers": [asdict(row) for row in rows], "queues": facts.queues(text)} if rows else None


def _services(node: str, text: str) -> dict[str, Any] | None:
    states = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
    return {"node": node, "services": {unit.removesuffix(".service"): it for unit, it in states.items()}}


def _writable(node: str, text: str) -> dict[str, Any] | None:
    rows = [row for row in server_state.vertical(text) if "for_s" in row]
    return {"node": node, "writable": rows[0]["read_only"] == "0", "for_s": float(rows[0]["for_s"])} if rows else None


def _database(node: str, text: str) -> dict[str, Any] | None:
    """A database's state from the rows of a sample; the replica's status, if any, is the last row."""
    rows = [row for row in server_state.vertical(text) if row]
    status = {row["Variable_name"]: row["Value"] for row in rows if "Variable_name" in row}
    it = server_state.from_rows(node, [row for row in rows if "Variable_name" not in row])
    if it is None:
        return None
    seen = ("role", "writable", "replicating", "lag_s", "gtid_executed")
    waits = status.get("Rpl_semi_sync_source_status") == "ON" if it.role == "primary" else None
    return {"node": node, **{name: getattr(it, name) for name in seen}, "semi_sync": waits}
