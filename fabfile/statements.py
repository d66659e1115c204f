"""SQL for a node, as root."""

from lab import progress
from lab.machine import Machine

SQL_TIMEOUT_S = 60.0


def sql(door: Machine, text: str, title: str) -> None:
    """Run SQL as root on a node, sent on standard input: no password shows in a process list."""
    door.script(client(text), timeout=SQL_TIMEOUT_S, title=title)
    progress.say(door.node.name, title)


def client(text: str) -> str:
    """Bash that runs SQL."""
    return f"mysql --batch <<'END_OF_SQL'\n{text}\nEND_OF_SQL\n"
