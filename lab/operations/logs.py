"""The latest lines of every service's log, node by node."""

import re
from pathlib import Path

from lab.errors import LabError
from lab.nodes import console, lifecycle
from lab.nodes.ssh import Machine, together
from lab.operations import log_times
from lab.release import SERVICES
from lab.topology import Lab

UNITS = " ".join(f"-u '{unit}'" for unit in (*(it.unit for it in SERVICES.values()), "systemd-networkd"))
OWNER_ONLY = 0o700
SAVE_S, SAVED_LINES, CONSOLE_LINES = 60.0, 20000, 200
FILES = " ".join(path for it in SERVICES.values() for path in it.logs)


def collect(lab: Lab, *, node: str = "", lines: int = 30, since_s: int = 0) -> str:
    """The last `lines` of the journal and of each log file, of one node or all; unreachable ones are named.

    The first line says from when they are: of the whole time since the machine started, or of the last `since_s`
    seconds.
    """
    machines = [machine for machine in lifecycle.machines(lab) if not node or machine.node == lab.node(node)]
    span = f"of the last {since_s} s" if since_s else "since the machine started, so older ones too"
    title = f"the last {lines} lines of each log, {span}"
    return "\n".join([title, *together(lambda machine: _one(machine, lines, since_s), machines)])


def save(lab: Lab, folder: Path, since: float) -> None:
    """Write every node's journal and log files to folder/<node>/, for this user alone.

    `since` is in Unix seconds, for the journal.

    The last lines of its console, where the hosting machine has them, are there too: all that a dead kernel leaves,
    and the next start of the machine throws them away. The console's own file belongs to root alone.
    """
    folder.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
    folder.chmod(OWNER_ONLY)

    def one(machine: Machine) -> None:
        where = folder / machine.node.name
        where.mkdir(exist_ok=True)
        try:
            text = machine.script(_since(since), timeout=SAVE_S, title="hands over its logs").stdout
        except LabError as error:
            text = f"\n== not-to-be-had.log\n{error}\n"
        text += f"\n== console.log\n{console.last_lines(machine.node, CONSOLE_LINES)}"
        for part in text.split("\n== ")[1:]:
            name, _, content = part.partition("\n")
            (where / f"{Path(name).name}").write_text(content, encoding="utf-8")

    together(one, lifecycle.machines(lab))


def _since(since: float) -> str:
    journal = f"journalctl --no-pager -o short-iso-precise --since @{since:.0f} {UNITS}"
    file = f'[ -s "$file" ] && echo && echo "== $file" && tail -n {SAVED_LINES} "$file"'
    return f"echo; echo '== journal.log'; {journal}\nfor file in {FILES}; do {file}; done\nexit 0"


def _one(machine: Machine, lines: int, since_s: int) -> str:
    kept = lines if not since_s else SAVED_LINES
    journal = f"journalctl -b --no-pager -o short-iso -n {lines} {UNITS}"
    script = (
        f"date '+%s %z'; {journal}{f' --since -{since_s}s' if since_s else ''}\n"
        f'for file in {FILES}; do [ -s "$file" ] && echo "-- $file" && tail -n {kept} "$file"; done\nexit 0'
    )
    try:
        now, _, text = machine.script(script, timeout=60, title="reads its logs").stdout.partition("\n")
        text = _recent(text, now, lines, since_s) if since_s else text
    except LabError as error:
        text = str(error)
    return "\n".join(f"{machine.node.name:<6}{line}" for line in text.splitlines())


def _recent(text: str, now: str, lines: int, since_s: int) -> str:
    """The journal as it came, and of each log file the last lines of that time."""
    seconds, _, zone = now.partition(" ")
    journal, *files = re.split(r"^(?=-- /)", text, flags=re.MULTILINE)
    kept = [journal.rstrip()]
    for file in files:
        name, *content = file.splitlines()
        recent = list(log_times.since(content, float(seconds) - since_s, zone))[-lines:]
        kept += [name, *recent] if recent else []
    return "\n".join(kept)
