"""The latest lines of every service's log, node by node."""

from lab.errors import LabError
from lab.lifecycle import machines
from lab.machine import Machine, together
from lab.topology import Lab

UNITS = "haproxy dnsmasq nginx 'php*-fpm' mysql systemd-networkd"
FILES = "/var/log/nginx/access.log /var/log/nginx/error.log /var/log/mysql/error.log /var/log/php*-fpm.log"


def collect(lab: Lab, *, node: str = "", lines: int = 30) -> str:
    """The last `lines` of the journal and of each log file, of one node or all; unreachable ones are named."""
    doors = [door for door in machines(lab) if not node or door.node == lab.node(node)]
    return "\n".join(together(lambda door: _one(door, lines), doors))


def _one(door: Machine, lines: int) -> str:
    units = " ".join(f"-u {unit}" for unit in UNITS.split())
    script = (
        f"journalctl -b --no-pager -o short-iso -n {lines} {units}\n"
        f'for file in {FILES}; do [ -s "$file" ] && echo "-- $file" && tail -n {lines} "$file"; done\nexit 0'
    )
    try:
        text = door.script(script, timeout=60, title="reads its logs").stdout
    except LabError as error:
        text = str(error)
    return "\n".join(f"{door.node.name:<6}{line}" for line in text.splitlines())
