"""The latest lines of every service's log, node by node."""

from pathlib import Path

from lab.errors import LabError
from lab.nodes import console, lifecycle
from lab.nodes.ssh import Machine, together
from lab.release import SERVICES
from lab.topology import Lab

UNITS = " ".join(f"-u '{unit}'" for unit in (*(it.unit for it in SERVICES.values()), "systemd-networkd"))
OWNER_ONLY = 0o700
SAVE_S, SAVED_LINES, CONSOLE_LINES = 60.0, 20000, 200
FILES = " ".join(path for it in SERVICES.values() for path in it.logs)


def collect(lab: Lab, *, node: str = "", lines: int = 30) -> str:
    """The last `lines` of the journal and of each log file, of one node or all; unreachable ones are named."""
    machines = [machine for machine in lifecycle.machines(lab) if not node or machine.node == lab.node(node)]
    return "\n".join(together(lambda machine: _one(machine, lines), machines))


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


def _one(machine: Machine, lines: int) -> str:
    script = (
        f"journalctl -b --no-pager -o short-iso -n {lines} {UNITS}\n"
        f'for file in {FILES}; do [ -s "$file" ] && echo "-- $file" && tail -n {lines} "$file"; done\nexit 0'
    )
    try:
        text = machine.script(script, timeout=60, title="reads its logs").stdout
    except LabError as error:
        text = str(error)
    return "\n".join(f"{machine.node.name:<6}{line}" for line in text.splitlines())
