"""Run SQL on a node, as root."""

from lab import progress
from lab.nodes.ssh import Machine

SQL_TIMEOUT_S = 60.0


def sql(machine: Machine, text: str, title: str, timeout: float = SQL_TIMEOUT_S, first: str = "") -> None:
    """Run SQL as root on a node, sent on standard input so that no password shows in a process list.

    `timeout` is seconds; `first` is bash that runs before it.
    """
    machine.script(f"{first}\n{client(text)}".lstrip(), timeout=timeout, title=title)
    progress.say(machine.node.name, title)


def client(text: str) -> str:
    """Bash that runs SQL."""
    return f"mysql --batch <<'END_OF_SQL'\n{text}\nEND_OF_SQL\n"
