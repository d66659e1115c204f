"""Whether an old primary may have released commits that no replica confirmed: how its MySQL and its machine ended.

MySQL releases commits that wait for a replica when systemd, a signal or a statement asks it to stop. A crash, a
SIGKILL, a power cut and a freeze release nothing. So each node records what happens to its MySQL: in memory, and on its
serial console, which the hosting machine keeps when the node is gone.
https://dev.mysql.com/doc/refman/8.4/en/server-shutdown.html
"""

import re
from collections.abc import Sequence

from lab.topology import Node

RECORDER = "/usr/local/lib/weblab/mysql-record"
RECORD = "/run/weblab/mysql"
PREFIX = "weblab mysql: "
STARTED, OPENED, STOP, EXITED = "started", "opened", "stop requested", "exited"
# Semi-sync gave up (mysql-watch). Commits released before the durability was set again were observed after that.
GAVE_UP, SET = "gave up waiting", "durability set"
# The system shuts down, and MySQL with it (mysql-watch, system-shutdown).
SYSTEM_STOPS = f"{STOP}, the system shuts down"
# systemd's EXIT_CODE and EXIT_STATUS of a process that had no time to release anything: systemd.exec(5). MySQL catches
# SEGV, ABRT, BUS, ILL and FPE and then exits 2 (MYSQLD_FAILURE_EXIT). After a normal shutdown it exits 0 or 16, and
# 1 if it could not start.
CRASH = re.compile(rf"{EXITED} \S+ (killed (KILL|SEGV|ABRT|BUS|ILL|FPE)|dumped \w+|exited 2)\b")
# `virsh domstate --reason` of a machine that is off: with these its system had no time to stop anything.
PLUG_PULLED = ("destroyed", "crashed", "failed", "saved")
UNKNOWN = "unknown"  # libvirtd was restarted since

RELEASES = "may have released commits that no replica confirmed"

ASK = f"cat {RECORD} 2>/dev/null"
# Runs before a server is opened for writes: later lines of the record belong to this time as primary. Each opening has
# a unique name, so that memory and console can be compared.
OPENS = f"sh {RECORDER} {OPENED} $(cat /proc/sys/kernel/random/uuid) || true"
# Runs before the durability of the primary changes; its state after that is recorded in last_seen.
SETS = f"sh {RECORDER} {SET} || true"
# After a snapshot is restored the memory is old and the console is not.
REPLAY = f"[ ! -e {RECORD} ] || cat {RECORD} > /dev/ttyS0"


def doubt(node: Node, off_because: str, record: str, console: str | None) -> str:
    """Why `node` may have released commits since it was opened for writes; '' if it can't have.

    `off_because`: the hypervisor's reason if the machine is off, else ''. `record`: the answer to ASK, '' if there was
    none. `console`: the serial console's text, None if it can't be read.
    """
    name = node.name
    lines = [line for it in _records(record, console or "") for line in _as_primary(it)]
    if off_because and off_because not in PLUG_PULLED and not any(map(CRASH.match, lines)):
        if off_because == UNKNOWN:
            return f"{name} is off for an unknown reason: a normal shutdown of its MySQL {RELEASES}"
        return f"{name} is off, and not because its power was cut ({off_because}): the shutdown of its MySQL {RELEASES}"
    if lines:
        why = next(filter(None, map(_released, lines)), "")
        return f"{name}: {why}" if why else ""
    where = "its console can't be read by this user" if console is None else "it was started again since"
    return f"how MySQL on {name} ended as a primary is not known: {where}"


def _records(record: str, console: str) -> list[list[str]]:
    """The records in memory and on the console since the last opening; each may lack a line that the other has.

    If they show different openings, the older record is ignored: it is of an earlier boot or lacks a line.
    """
    recorded, shown = _lines(record), _lines(console)
    memory, serial = _since_opened(recorded), _since_opened(shown)
    if memory and serial and memory[0] != serial[0]:
        return [serial if memory[0] in shown else memory]
    return [it for it in (memory, serial) if it]


def _lines(text: str) -> list[str]:
    """The lines of the record, without the other output on a console."""
    return [part.strip() for line in text.splitlines() for part in line.split(PREFIX)[1:]]


def _since_opened(lines: Sequence[str]) -> list[str]:
    """The lines from the last opening on; none if there is no opening."""
    opened = [index for index, line in enumerate(lines) if line.startswith(OPENED)]
    return list(lines[opened[-1] :]) if opened else []


def _as_primary(lines: Sequence[str]) -> list[str]:
    """The lines until MySQL first ended; after that the server is read-only and no commit waits there.

    mysql-watch may record a stop shortly after the end that the stop caused.
    """
    until_end: list[str] = []
    ended = False
    for line in lines:
        if ended and line.startswith((STARTED, EXITED)):
            break
        if line.startswith(SET):
            until_end = [it for it in until_end if not it.startswith(GAVE_UP)]
        if not (ended and line.startswith(SYSTEM_STOPS)):
            until_end.append(line)
        ended = ended or line.startswith(EXITED)
    return until_end


def _released(line: str) -> str:
    """Why a line of the record means released commits; '' if it does not."""
    if line.startswith(STOP):
        return f"MySQL was asked to stop, which {RELEASES}"
    if line.startswith(GAVE_UP):
        return f"MySQL gave up waiting for its replica, which {RELEASES}"
    if line.startswith(EXITED) and not CRASH.match(line):
        return f"MySQL shut down normally ({line}), which {RELEASES}"
    if line.startswith(STARTED):  # the machine went down with MySQL
        return "MySQL started again, and how it ended before is not on record"
    known = line.startswith((OPENED, SET)) or CRASH.match(line)
    return "" if known else f"a line of its record can't be read ({line[:60]!r}); it may have been a stop"
