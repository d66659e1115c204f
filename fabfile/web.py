"""Role web: Nginx, PHP-FPM and the site's files."""

import re
from pathlib import Path

from lab.desired.state import Command, Desired, File, Unit
from lab.desired.target import Target
from lab.topology import ROOT

SITE = ROOT / "provision" / "site"
DOCUMENTS = "/var/www/site"
SITE_CONFIG = "/etc/weblab/site.php"
# All files in one process (PHP 8.3 and later), without php.ini, and so without extensions: syntax needs none.
LINT = "php -n -l %*"
# On a reload, PHP's main process ends its children, executes itself again and starts new children. systemctl does not
# wait for that; this script does.
NEW_PROCESSES = """main=$(systemctl show -p MainPID --value %s)
old=$(pgrep -P "$main")
"$@" || exit
until ! kill -0 $old && pgrep -P "$main"; do sleep 0.1; done >/dev/null 2>&1"""


def desired(target: Target) -> Desired:
    """The desired state of a node with the role web."""
    version = target.release.php
    nginx, php = target.release.service("nginx"), target.release.service("php-fpm")
    site, pools = site_files(), target.render("php-fpm.conf.j2")
    settings = File(SITE_CONFIG, target.render("site-config.php.j2"), "640", "root:www-data", LINT)
    return Desired(
        packages=("nginx", f"php{version}-fpm", f"php{version}-mysql"),
        files=(
            *site,
            settings,
            File(php.conf, pools, check=f"{php.binary} -t -y %s"),
            File(nginx.conf, target.render("nginx.conf.j2"), check=f"{nginx.binary} -t -q -c %s"),
        ),
        units=(
            Unit(
                f"{php.unit}.service",
                watches=(php.conf, SITE_CONFIG, *(file.path for file in site)),
                on_change=f"systemctl reload {php.unit}",
                waits=NEW_PROCESSES % php.unit,
            ),
            Unit(
                f"{nginx.unit}.service",
                watches=(nginx.conf,),
                on_change=f"systemctl reload {nginx.unit}",
            ),
        ),
        commands=(_queue(pools, php.unit),),
    )


def _queue(pools: str, unit: str) -> Command:
    """Set how many requests may wait for PHP: a reload keeps the sockets with their old backlog, a restart does not.

    The file of each socket is checked too: without it the socket still listens, but nginx cannot connect.
    """
    wanted = re.findall(r"^listen(?:\.backlog)? = (.+)$", pools, re.MULTILINE)
    pairs = zip(wanted[::2], wanted[1::2], strict=True)
    ask = " && ".join(
        f"[ -S {socket} ] && ss -Hxl src {socket} | grep -q ' {most} *{socket} '" for socket, most in pairs
    )
    return Command("the queues of PHP", ask, f"{ask} || timeout 60 systemctl restart {unit}", in_turn=True)


def site_files(folder: Path = SITE) -> tuple[File, ...]:
    """The files of provision/site; each PHP file is checked before it is installed."""
    return tuple(
        File(
            f"{DOCUMENTS}/{path.relative_to(folder).as_posix()}",
            path.read_text(encoding="utf-8"),
            check=LINT if path.suffix == ".php" else "",
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    )
