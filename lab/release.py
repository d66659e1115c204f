"""All differences between the supported systems: paths, unit names, SQL statements."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace

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
        """Choose by the server's version, as printed by `SELECT VERSION()` or `mysqld --version`."""
        found = re.search(r"\b(\d+)\.(\d+)(?:\.\d+)?", version)
        if not found:
            raise BadInput(f"not a MySQL version: {version.strip()!r}")
        number = (int(found[1]), int(found[2]))
        if "mariadb" in version.lower() or number < (8, 0):
            raise BadInput(f"MySQL {version.strip()} is not supported: it must be MySQL 8.0 or later")
        return SINCE_8_2 if number >= (8, 2) else BEFORE_8_2


# 8.2 introduced the new names, 8.4 removed the old ones; the versions between accept both.
BEFORE_8_2 = Dialect(binary_log_status="SHOW MASTER STATUS", reset_binary_logs="RESET MASTER")
SINCE_8_2 = Dialect(binary_log_status="SHOW BINARY LOG STATUS", reset_binary_logs="RESET BINARY LOGS AND GTIDS")


@dataclass(frozen=True)
class Service:
    """A service on the nodes that have its role; * stands for the version of PHP, which depends on the system.

    `unit`: its systemd unit, without '.service'; `conf`: the file that its role writes.
    """

    name: str
    role: str
    unit: str
    conf: str
    binary: str
    logs: tuple[str, ...] = ()


_SERVICES = (
    Service("haproxy", "balancer", "haproxy", "/etc/haproxy/haproxy.cfg", "/usr/sbin/haproxy"),
    Service("dnsmasq", "nameserver", "dnsmasq", "/etc/dnsmasq.conf", "/usr/sbin/dnsmasq"),
    Service(
        "nginx",
        "web",
        "nginx",
        "/etc/nginx/nginx.conf",
        "/usr/sbin/nginx",
        ("/var/log/nginx/access.log", "/var/log/nginx/error.log"),
    ),
    Service(
        "php-fpm", "web", "php*-fpm", "/etc/php/*/fpm/php-fpm.conf", "/usr/sbin/php-fpm*", ("/var/log/php*-fpm.log",)
    ),
    Service(
        "mysql",
        "database",
        "mysql",
        "/etc/mysql/mysql.conf.d/zz-weblab.cnf",  # the last value wins, so the name sorts after mysqld.cnf
        "/usr/sbin/mysqld",
        ("/var/log/mysql/error.log",),
    ),
)
SERVICES: Mapping[str, Service] = {it.name: it for it in _SERVICES}


@dataclass(frozen=True)
class Release:
    """A supported system, and the versions of its packages."""

    system: str
    php: str
    mysql: str
    haproxy: str

    @classmethod
    def of(cls, os_release_text: str) -> "Release":
        """The release for the text of a system's /etc/os-release; raises BadInput if it is not supported."""
        fields = _fields(os_release_text)
        key = (fields.get("ID", ""), fields.get("VERSION_ID", ""))
        if key in RELEASES:
            return RELEASES[key]
        name = fields.get("PRETTY_NAME") or " ".join(filter(None, key)) or "a system without /etc/os-release"
        supported = ", ".join(release.system for release in RELEASES.values())
        raise BadInput(f"{name} is not supported by the roles", hint=f"use a box with one of: {supported}")

    @property
    def haproxy_delays_answers(self) -> bool:
        """Whether `tcp-response inspect-delay` is safe: 2.8.0 forwards a close of the server to the visitor meanwhile.

        HAProxy's commit 04bbfa435 fixes that; 3.0.11 and 3.2.0 have it (tested), 2.8.16 was not tested.
        """
        return not self.haproxy.startswith("2.")

    def service(self, name: str) -> Service:
        """A service with its names on this system."""
        it = SERVICES[name]
        unit, conf, binary, *logs = (text.replace("*", self.php) for text in (it.unit, it.conf, it.binary, *it.logs))
        return replace(it, unit=unit, conf=conf, binary=binary, logs=tuple(logs))

    @property
    def dialect(self) -> Dialect:
        """The SQL statements for this system's MySQL."""
        return Dialect.of(self.mysql)


RELEASES = {
    ("ubuntu", "24.04"): Release("Ubuntu 24.04", php="8.3", mysql="8.0", haproxy="2.8"),
    ("ubuntu", "26.04"): Release("Ubuntu 26.04", php="8.5", mysql="8.4", haproxy="3.2"),
    ("debian", "13"): Release("Debian 13", php="8.4", mysql="9.7", haproxy="3.0"),
}


def _fields(os_release_text: str) -> dict[str, str]:
    """The fields of os-release, from its shell-like lines NAME="value"."""
    pairs = (line.partition("=") for line in os_release_text.splitlines() if "=" in line)
    return {name.strip(): "".join(shlex.split(value)) for name, _, value in pairs if not name.startswith("#")}
