"""Names of systemd units that a release completes: php*-fpm is php8.3-fpm here and php8.4-fpm there."""

from collections.abc import Iterable

FOLDER = "/usr/lib/systemd/system"


def named(patterns: Iterable[str]) -> str:
    """Bash that gives the names of units.

    systemctl completes only what is loaded, and what was stopped in an orderly way is not:
    https://www.freedesktop.org/software/systemd/man/latest/systemctl.html#Parameter%20Syntax
    """
    return f"$(cd {FOLDER} && echo {' '.join(f'{pattern}.service' for pattern in patterns)})"
