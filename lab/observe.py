"""The eyes of an experiment on the nodes: balancer, databases, services and power, on this machine's clock.

One ssh channel an eye stays open for the whole run; its script says what it sees, again and again. Who can't
be seen is an entry too ('blind'), and the eye is opened again every second.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from lab import databases, facts, hypervisor
from lab.errors import LabError
from lab.machine import Machine
from lab.timeline import Entry
from lab.topology import Lab, Node
from lab.wait import pause

END = "=weblab="
BALANCER_S, DATABASE_S, NODE_S, POWER_S = 0.25, 1.0, 1.0, 1.0
SILENCE_S, AGAIN_S = 4.0, 1.0
JOIN_S = 15.0
Write = Callable[[Entry], None]
Read = Callable[[str, str], dict[str, Any] | None]

# One client for the whole run: to start one costs an emulated processor a fifth of a second.
# It ends when the server goes away, and the loop around it starts another.
_SAMPLE_DATABASE = f"""while true; do
  while true; do cat <<'END_OF_SAMPLE'
{databases.QUESTION_SQL}
SELECT 'whole' AS `{END}`;
END_OF_SAMPLE
  sleep {DATABASE_S}; done | mysql --connect-timeout=2 --vertical --unbuffered 2>&1
  echo "{END} gone"; sleep 0.5
done"""


@dataclass(frozen=True)
class Eye:
    """One way to look at a node: the script that says what it sees, and the reader of one sample."""

    name: str
    node: Node
    script: str
    read: Read


def eyes(lab: Lab) -> list[Eye]:
    """All that look at nodes."""
    looking = [Eye("balancer", it, _loop(facts.BALANCER, BALANCER_S), _balancer) for it in lab.having("balancer")]
    looking += [Eye("database", it, _SAMPLE_DATABASE, _database) for it in lab.having("database")]
    return looking + [Eye("node", it, _loop(facts.services_question(it.roles), NODE_S), _services) for it in lab.nodes]


@contextmanager
def watching(lab: Lab, doors: Sequence[Machine], write: Write) -> Iterator[None]:
    """Watch the lab until the block ends; every sample goes to `write`, from several threads.

    All eyes on a node share its door: to open another connection costs an emulated processor seconds.
    """
    leave = threading.Event()
    door = {door.node: door for door in doors}
    threads = [
        threading.Thread(target=_watch, args=(eye, door[eye.node], write, leave), daemon=True) for eye in eyes(lab)
    ]
    threads.append(threading.Thread(target=_watch_power, args=(lab, write, leave), daemon=True))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        leave.set()
        for thread in threads:
            thread.join(JOIN_S)


def clock_errors(doors: Sequence[Machine], rounds: int = 3) -> list[Entry]:
    """How far each node's clock is from this machine's, by the answer that came back fastest.

    The true error lies within half of that answer's time: that is its uncertainty, in seconds.
    """
    return [Entry(time.time(), "lab", "clock", _clock_error(door, rounds)) for door in doors]


def _clock_error(door: Machine, rounds: int) -> dict[str, Any]:
    best = (float("inf"), 0.0)
    for _ in range(rounds):
        asked = time.time()
        said = float(door.run("date +%s.%N", title="tells the time").stdout)
        answered = time.time()
        best = min(best, (answered - asked, said - (asked + answered) / 2))
    return {"node": door.node.name, "error_s": round(best[1], 3), "uncertainty_s": round(best[0] / 2, 3)}


def _loop(question: str, every: float) -> str:
    return f'while true; do {question}\necho "{END} $?"; sleep {every}; done 2>&1'


def _watch(eye: Eye, door: Machine, write: Write, leave: threading.Event) -> None:
    lines: list[str] = []

    def on_line(line: str) -> None:
        if END not in line:
            lines.append(line)
            return
        seen = eye.read(eye.node.name, "\n".join(lines))
        last = next((it for it in reversed(lines) if it.strip()), "no answer")
        lines.clear()
        write(_entry(eye, seen, last))

    while not leave.is_set():
        try:
            door.follow(eye.script, on_line, lambda: not leave.is_set(), SILENCE_S)
        except LabError as error:
            write(_entry(eye, None, error.evidence or error.what))
            lines.clear()
            leave.wait(AGAIN_S)


def _entry(eye: Eye, seen: dict[str, Any] | None, why: str) -> Entry:
    if seen is None:
        return Entry(time.time(), eye.name, "blind", {"node": eye.node.name, "why": why[:200]})
    return Entry(time.time(), eye.name, "servers" if eye.name == "balancer" else "state", seen)


def _watch_power(lab: Lab, write: Write, leave: threading.Event) -> None:
    while not leave.wait(POWER_S):
        try:
            for name, state in hypervisor.states(lab).items():
                write(Entry(time.time(), "node", "state", {"node": name, "power": state}))
        except LabError as error:
            write(Entry(time.time(), "node", "blind", {"node": "", "why": error.what}))
            pause(AGAIN_S)


def _balancer(node: str, text: str) -> dict[str, Any] | None:
    rows = facts.servers(text) if "pxname" in text else []
    return {"servers": [asdict(row) for row in rows]} if rows else None


def _services(node: str, text: str) -> dict[str, Any] | None:
    states = {unit: state for unit, state in facts.services(text).items() if "*" not in unit}
    return {"node": node, "services": states} if states else None


def _database(node: str, text: str) -> dict[str, Any] | None:
    it = databases.read(node, text)
    if it is None:
        return None
    seen = ("role", "writable", "replicating", "lag_s", "gtid_executed")
    waits = it.semi_sync if it.role == "primary" else None
    return {"node": node, **{name: getattr(it, name) for name in seen}, "semi_sync": waits}
