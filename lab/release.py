"""The one place that knows how the supported systems differ: paths, unit names, SQL statements."""

import re
import shlex
from dataclasses import dataclass

from lab.errors import BadInput


@dataclass(frozen=True)
class Dialect:
    """The SQL statements whose names depend on the MySQL version.

    Everything else is written the same way for all versions, with the names of 8.0.26 and later:
    CHANGE REPLICATION SOURCE TO, START REPLICA, SHOW REPLICA STATUS, rpl_semi_sync_source_*.
    """

    binary_log_status: str
    reset_binary_logs: str

    @classmethod
    def of(cls, version: str) -> "Dialect":
        """Choose by the server's version, as `SELECT VERSION()` or `mysqld --version` writes it."""
        found = re.search(r"\b(\d+)\.(\d+)(?:\.\d+)?", version)
        if not found:
            raise BadInput(f"not a MySQL version: {version.strip()!r}")
        number = (int(found[1]), int(found[2]))
        if "mariadb" in version.lower() or number < (8, 0):
            raise BadInput(f"MySQL {version.strip()} is not supported: it must be MySQL 8.0 or later")
        return SINCE_8_2 if number >= (8, 2) else BEFORE_8_2


# 8.2 brought the new names, 8.4 removed the old ones; what lies between understands both.
BEFORE_8_2 = Dialect(binary_log_status="SHOW MASTER STATUS", reset_binary_logs="RESET MASTER")
SINCE_8_2 = Dialect(binary_log_status="SHOW BINARY LOG STATUS", reset_binary_logs="RESET BINARY LOGS AND GTIDS")


@dataclass(frozen=True)
class Release:
    """A supported system: the versions it carries and where they keep their files."""

    system: str
    php: str
    mysql: str
    haproxy: str

    nginx_unit = "nginx"
    nginx_conf = "/etc/nginx/nginx.conf"
    nginx_binary = "/usr/sbin/nginx"
    haproxy_unit = "haproxy"
    haproxy_conf = "/etc/haproxy/haproxy.cfg"
    haproxy_binary = "/usr/sbin/haproxy"
    mysql_unit = "mysql"
    # MySQL reads the folder in order and the last value wins, so the name sorts after mysqld.cnf.
    mysql_conf = "/etc/mysql/mysql.conf.d/zz-weblab.cnf"
    mysql_binary = "/usr/sbin/mysqld"

    @classmethod
    def of(cls, os_release_text: str) -> "Release":
        """Recognise a system by the text of its /etc/os-release."""
        fields = _fields(os_release_text)
        key = (fields.get("ID", ""), fields.get("VERSION_ID", ""))
        if key in RELEASES:
            return RELEASES[key]
        name = fields.get("PRETTY_NAME") or " ".join(filter(None, key)) or "a system without /etc/os-release"
        supported = ", ".join(release.system for release in RELEASES.values())
        raise BadInput(f"{name} is not supported by the roles", hint=f"use a box with one of: {supported}")

    @property
    def haproxy_delays_answers(self) -> bool:
        """Whether `tcp-response inspect-delay` is safe: 2.8.0 forwards a server's close to the visitor meanwhile.

        HAProxy's commit 04bbfa435 mends that; 3.0.11 and 3.2.0 have it (tried), of 2.8.16 nobody here knows.
        """
        return not self.haproxy.startswith("2.")

    @property
    def php_fpm_unit(self) -> str:
        """The systemd unit of PHP-FPM."""
        return f"php{self.php}-fpm"

    @property
    def php_fpm_conf(self) -> str:
        """The file that the PHP-FPM unit starts with."""
        return f"/etc/php/{self.php}/fpm/php-fpm.conf"

    @property
    def php_fpm_binary(self) -> str:
        """The program that checks the file: it carries its version in its name."""
        return f"/usr/sbin/php-fpm{self.php}"

    @property
    def dialect(self) -> Dialect:
        """The SQL statements of the MySQL that this system carries."""
        return Dialect.of(self.mysql)


RELEASES = {
    ("ubuntu", "24.04"): Release("Ubuntu 24.04", php="8.3", mysql="8.0", haproxy="2.8"),
    ("ubuntu", "26.04"): Release("Ubuntu 26.04", php="8.5", mysql="8.4", haproxy="3.2"),
    ("debian", "13"): Release("Debian 13", php="8.4", mysql="9.7", haproxy="3.0"),
}


def _fields(os_release_text: str) -> dict[str, str]:
    """Read the shell-like lines of os-release: NAME="value"."""
    pairs = (line.partition("=") for line in os_release_text.splitlines() if "=" in line)
    return {name.strip(): "".join(shlex.split(value)) for name, _, value in pairs if not name.startswith("#")}
