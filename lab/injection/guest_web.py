"""Faults of what runs on a web server."""

from collections.abc import Callable, Mapping

from lab.faults.kinds import Fault
from lab.injection.scripts import FOLDER, Scripts, kept
from lab.nodes import services
from lab.topology import Lab

PAGES = 30  # asked for to see what one costs
LEAST_PERCENT = 2  # the kernel gives no less than a millisecond of each tenth of a second

_UNIT = f"unit=$(systemctl show -p Id --value {services.named(['php*-fpm'])} | head -n 1)"
_USED = "awk '/^usage_usec/ { print $2 }' /sys/fs/cgroup/system.slice/$unit/cpu.stat"
_LOG = "/var/log/nginx/access.log"
_LIMIT = "$(systemctl show -p CPUQuotaPerSecUSec --value $unit)"


def _php_limit(fault: Fault, lab: Lab) -> Scripts:
    """How much processor a page needs differs between machines, so it is measured first, with what else comes."""
    pages, where = int(fault.options.get("pages_per_s", 1)), kept(fault)
    measure = (
        f"{_UNIT}\nmkdir -p {FOLDER}\nused=$({_USED}); size=$(stat -c %s {_LOG})\n"
        f"curl -s -m 60 -o /dev/null 'http://127.0.0.1/?[1-{PAGES}]'\n"
        f"used=$(( $({_USED}) - used )); served=$(tail -c +$(( size + 1 )) {_LOG} | wc -l)\n"
        f'[ "$served" -gt 0 ] && [ "$used" -gt 0 ] || {{ echo "PHP answered no page"; exit 1; }}\n'
        f"percent=$(( used * {pages} / served / 10000 ))\n"
        f"echo $(( percent > {LEAST_PERCENT} ? percent : {LEAST_PERCENT} )) > {where}"
    )
    return Scripts(
        prepare=measure,
        inject=f"{_UNIT}\nsystemctl set-property --runtime $unit CPUQuota=$(< {where})%",
        seen=f'{_UNIT}\n[ "{_LIMIT}" != infinity ]',
        heal=f"{_UNIT}\nsystemctl set-property --runtime $unit CPUQuota=",
        gone=f'{_UNIT}\n[ "{_LIMIT}" = infinity ]',
        timed=True,
    )


MAKERS: Mapping[str, Callable[[Fault, Lab], Scripts]] = {"php-limit": _php_limit}
