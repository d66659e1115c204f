"""The output of a node's serial console, which the hosting machine keeps whatever happens to the node."""

from pathlib import Path

from lab import process
from lab.errors import LabError
from lab.nodes.vm_power import PREFIX, QUICK_S
from lab.topology import Node

FOLDER = Path("/var/log/libvirt/qemu")
# virtlogd begins a new file at 2 MiB and keeps three older ones; 0 is the newest of those: virtlogd.conf.
OLDER = (".2", ".1", ".0", "")


def last_lines(node: Node, lines: int = 12) -> str:
    """The last lines, as evidence; empty if there are none."""
    return "\n".join([line.rstrip() for line in (text(node) or "").splitlines() if line.strip()][-lines:])


def text(node: Node) -> str | None:
    """All output that is kept; None if this user can't read it."""
    read = [_read(FOLDER / f"{PREFIX}{node.name}.console{older}") for older in OLDER]
    return None if read[-1] is None else "".join(filter(None, read))


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except PermissionError:
        return _as_root(path)
    except OSError:
        return None


def _as_root(path: Path) -> str | None:
    """Read it with sudo, if that needs no password."""
    try:
        return process.run(["sudo", "-n", "cat", str(path)], timeout=QUICK_S).output
    except LabError:
        return None
