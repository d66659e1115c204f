"""Names of systemd units that depend on the release: php*-fpm is php8.3-fpm on one and php8.4-fpm on another."""

from collections.abc import Iterable

FOLDER = "/usr/lib/systemd/system"


def named(patterns: Iterable[str]) -> str:
    """Bash that expands patterns to the names of units.

    systemctl itself expands only loaded units, and a unit that was stopped normally is not loaded:
    https://www.freedesktop.org/software/systemd/man/latest/systemctl.html#Parameter%20Syntax
    """
    return f"$(cd {FOLDER} && echo {' '.join(f'{pattern}.service' for pattern in patterns)})"
