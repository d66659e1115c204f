"""Whether an old primary may have released commits that no replica confirmed: how its MySQL and its machine ended.

MySQL releases commits that wait for a replica when it is told to stop, by systemd, a signal or a statement. A crash,
a SIGKILL, a pulled plug and a freeze release nothing. So a node keeps a record of its MySQL: in memory, and on its
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
# Semi-sync gave up, in mysql-watch. What it released before the durability was set anew was seen after that.
GAVE_UP, SET = "gave up waiting", "durability set"
# The whole system ends, and MySQL with it: in mysql-watch and system-shutdown.
SYSTEM_STOPS = f"{STOP}, the system shuts down"
# systemd's EXIT_CODE and EXIT_STATUS of a process that had no time to release anything: systemd.exec(5). MySQL catches
# SEGV, ABRT, BUS, ILL and FPE and ends with 2 then (MYSQLD_FAILURE_EXIT). In good order it ends with 0 or 16, and with
# 1 where it could not start.
CRASH = re.compile(rf"{EXITED} \S+ (killed (KILL|SEGV|ABRT|BUS|ILL|FPE)|dumped \w+|exited 2)\b")
# virsh domstate --reason, of a machine that is off: its system had no time to stop anything.
PLUG_PULLED = ("destroyed", "crashed", "failed", "saved")
UNKNOWN = "unknown"  # libvirtd was started anew since

ASK = f"cat {RECORD} 2>/dev/null"
# Before a server is opened for writes: what comes later on the record ends this time as a primary. Each opening has a
# name of its own, so that memory and console can be compared.
OPENS = f"sh {RECORDER} {OPENED} $(cat /proc/sys/kernel/random/uuid) || true"
# Before the durability of the primary changes; what it has after that is remembered.
SETS = f"sh {RECORDER} {SET} || true"
# After a snapshot the memory is old and the console is not.
REPLAY = f"[ ! -e {RECORD} ] || cat {RECORD} > /dev/ttyS0"


def doubt(node: Node, off_because: str, record: str, console: str | None) -> str:
    """Why `node` may have released commits since it was opened for writes; '' where that can't be.

    `off_because` is the hypervisor's reason where the machine is off, else "". `record` is the answer
    to ASK, '' where nobody answered; `console` the serial console's text, None where it can't be read.
    """
    name = node.name
    lines = [line for it in _records(record, console or "") for line in _as_primary(it)]
    if off_because and off_because not in PLUG_PULLED and not any(map(CRASH.match, lines)):
        if off_because == UNKNOWN:
            return f"{name} is off, and nobody knows why: MySQL there may have been stopped in good order"
        return f"{name} is off, and nobody pulled its plug ({off_because}): MySQL there was stopped in good order"
    if lines:
        why = next(filter(None, map(_released, lines)), "")
        return f"{name}: {why}" if why else ""
    where = "its console can't be read by this user" if console is None else "it was started again since"
    return f"nobody knows how MySQL on {name} ended as a primary: {where}"


def _records(record: str, console: str) -> list[list[str]]:
    """What the memory and the console hold of the last opening: each may lack a line that the other one has.

    Where they show different openings, the older one says nothing: an earlier boot, or a line that is missing.
    """
    recorded, shown = _lines(record), _lines(console)
    memory, serial = _since_opened(recorded), _since_opened(shown)
    if memory and serial and memory[0] != serial[0]:
        return [serial if memory[0] in shown else memory]
    return [it for it in (memory, serial) if it]


def _lines(text: str) -> list[str]:
    """The lines of the record, without what else a console shows."""
    return [part.strip() for line in text.splitlines() for part in line.split(PREFIX)[1:]]


def _since_opened(lines: Sequence[str]) -> list[str]:
    """The lines from the last opening on; none where there is no opening."""
    opened = [index for index, line in enumerate(lines) if line.startswith(OPENED)]
    return list(lines[opened[-1] :]) if opened else []


def _as_primary(lines: Sequence[str]) -> list[str]:
    """What happened until MySQL first ended: after that the server is closed, and nothing waits there.

    The watch of its log may note a stop shortly after the end that this caused.
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
    """What a line of the record says of released commits; '' where it says nothing."""
    if line.startswith(STOP):
        return "MySQL was told to stop, and then commits return that no replica has confirmed"
    if line.startswith(GAVE_UP):
        return "MySQL gave up waiting for its replica, and then commits return that no replica has confirmed"
    if line.startswith(EXITED) and not CRASH.match(line):
        return f"MySQL ended in good order ({line}), and then commits return that no replica has confirmed"
    if line.startswith(STARTED):  # the machine went down with MySQL
        return "MySQL started again, and how it ended before is not on record"
    known = line.startswith((OPENED, SET)) or CRASH.match(line)
    return "" if known else f"a line of its record can't be read ({line[:60]!r}), it may have been a stop"
