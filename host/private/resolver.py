"""Name resolution in the namespace: the hosting machine's servers, unless they listen on loopback."""

from pathlib import Path

from host.names import NAMESPACE
from lab import progress

SYSTEM = Path("/etc/resolv.conf")
UPSTREAM = Path("/run/systemd/resolve/resolv.conf")
INSIDE = Path("/etc/netns") / NAMESPACE / "resolv.conf"  # `ip netns exec` shows it as /etc/resolv.conf


def provide() -> None:
    """Write the namespace's resolv.conf if the hosting machine's would not work there."""
    text = for_namespace(_read(SYSTEM), _read(UPSTREAM))
    if text is None:
        return
    if not text:
        progress.say("host", f"the name server in {SYSTEM} is on loopback: guests cannot resolve names")
    INSIDE.parent.mkdir(parents=True, exist_ok=True)
    # Not replaced: programs in the namespace have this file mounted and would not see a new one.
    INSIDE.write_text(text)


def remove() -> None:
    """Remove the file that `provide` wrote."""
    INSIDE.unlink(missing_ok=True)
    if INSIDE.parent.exists():
        INSIDE.parent.rmdir()


def for_namespace(system: str, upstream: str) -> str | None:
    """The resolv.conf that the namespace needs, or None if the system's own works there.

    `upstream` is the file of systemd-resolved with the name servers that it asks.
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
