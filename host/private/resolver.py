"""Name resolution in the namespace: the host's own, unless that is a resolver on loopback."""

from pathlib import Path

from host.names import NAMESPACE
from lab import progress

SYSTEM = Path("/etc/resolv.conf")
UPSTREAM = Path("/run/systemd/resolve/resolv.conf")
INSIDE = Path("/etc/netns") / NAMESPACE / "resolv.conf"  # `ip netns exec` shows it as /etc/resolv.conf


def provide() -> None:
    """Write the namespace's resolv.conf where the host's own would not work in there."""
    text = for_namespace(_read(SYSTEM), _read(UPSTREAM))
    if text is None:
        return
    if not text:
        progress.say("host", f"the resolver in {SYSTEM} is on loopback: guests will resolve no names")
    INSIDE.parent.mkdir(parents=True, exist_ok=True)
    INSIDE.write_text(text)  # in its place: programs inside have mounted this very file, and would miss another one


def remove() -> None:
    """Remove what provide wrote."""
    INSIDE.unlink(missing_ok=True)
    if INSIDE.parent.exists():
        INSIDE.parent.rmdir()


def for_namespace(system: str, upstream: str) -> str | None:
    """The resolv.conf that the namespace needs, None where the system's own serves.

    `upstream` is the file in which systemd-resolved names the real servers.
    """
    if not any(map(_is_loopback, _servers(system))):
        return None
    return "".join(f"nameserver {server}\n" for server in _servers(upstream) if not _is_loopback(server))


def _servers(resolv_conf: str) -> list[str]:
    lines = [line.split() for line in resolv_conf.splitlines()]
    return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]


def _is_loopback(server: str) -> bool:
    return server == "::1" or server.startswith("127.")


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
