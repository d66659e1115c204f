"""What differs between the supported systems, and how an unsupported one is refused."""

from pathlib import Path

import pytest

from lab.errors import BadInput
from lab.release import Dialect, Release

CASES = Path(__file__).parent / "cases" / "release"


@pytest.mark.parametrize(
    ("case", "system", "php", "mysql", "haproxy", "delays"),
    [
        ("ubuntu-24.04", "Ubuntu 24.04", "8.3", "8.0", "2.8", False),
        ("ubuntu-26.04", "Ubuntu 26.04", "8.5", "8.4", "3.2", True),
        ("debian-13", "Debian 13", "8.4", "9.7", "3.0", True),
    ],
)
def test_a_system_is_recognised_by_its_os_release(
    case: str, system: str, php: str, mysql: str, haproxy: str, delays: bool
) -> None:
    """With the versions it carries, and the names that depend on them."""
    release = Release.of((CASES / f"{case}.txt").read_text(encoding="utf-8"))
    assert (release.system, release.php, release.mysql, release.haproxy) == (system, php, mysql, haproxy)
    assert release.haproxy_delays_answers == delays
    fpm = release.service("php-fpm")
    assert (fpm.unit, fpm.logs) == (f"php{php}-fpm", (f"/var/log/php{php}-fpm.log",))
    assert (fpm.conf, fpm.binary) == (f"/etc/php/{php}/fpm/php-fpm.conf", f"/usr/sbin/php-fpm{php}")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"', "Debian GNU/Linux 12 (bookworm)"),
        ("ID=arch", "arch"),
        ("", "a system without /etc/os-release"),
    ],
    ids=["debian-12", "arch", "nothing"],
)
def test_another_system_is_refused_with_those_that_work(text: str, named: str) -> None:
    """The message names what was found and what to use instead."""
    with pytest.raises(BadInput) as caught:
        Release.of(text)
    assert str(caught.value) == (
        f"{named} is not supported by the roles\nnext: use a box with one of: Ubuntu 24.04, Ubuntu 26.04, Debian 13"
    )


@pytest.mark.parametrize(
    ("version", "status", "reset"),
    [
        ("8.0.46-0ubuntu0.24.04.1", "SHOW MASTER STATUS", "RESET MASTER"),
        ("8.1.0", "SHOW MASTER STATUS", "RESET MASTER"),
        ("8.2.0", "SHOW BINARY LOG STATUS", "RESET BINARY LOGS AND GTIDS"),
        ("8.4.10-0ubuntu0.26.04.1", "SHOW BINARY LOG STATUS", "RESET BINARY LOGS AND GTIDS"),
        ("9.7.4-2", "SHOW BINARY LOG STATUS", "RESET BINARY LOGS AND GTIDS"),
        ("26.10.0", "SHOW BINARY LOG STATUS", "RESET BINARY LOGS AND GTIDS"),
        ("mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))", "SHOW BINARY LOG STATUS", "RESET BINARY LOGS AND GTIDS"),
    ],
)
def test_each_version_gets_statements_that_it_knows(version: str, status: str, reset: str) -> None:
    """8.0 lacks the new names, 8.4 the old ones."""
    dialect = Dialect.of(version)
    assert (dialect.binary_log_status, dialect.reset_binary_logs) == (status, reset)


@pytest.mark.parametrize("version", ["10.11.6-MariaDB-0+deb12u1", "5.7.44", "no version"])
def test_another_server_is_refused(version: str) -> None:
    """MariaDB speaks another dialect; so does MySQL before 8.0."""
    with pytest.raises(BadInput, match="MySQL"):
        Dialect.of(version)


def test_the_dialect_of_a_system_is_that_of_its_mysql() -> None:
    """What a role uses before it has asked a server."""
    old = Release.of((CASES / "ubuntu-24.04.txt").read_text(encoding="utf-8"))
    new = Release.of((CASES / "ubuntu-26.04.txt").read_text(encoding="utf-8"))
    assert (old.dialect.reset_binary_logs, new.dialect.reset_binary_logs) == (
        "RESET MASTER",
        "RESET BINARY LOGS AND GTIDS",
    )
