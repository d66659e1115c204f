"""Role balancer: HAProxy in front of the web servers."""

from collections.abc import Sequence

from lab.desired.state import NEWCOMERS, Desired, File, Unit
from lab.desired.target import Target

SAVE_STATES = (
    "echo 'show servers state' | socat -t 5 - UNIX-CONNECT:/run/haproxy/admin.sock >/run/haproxy/server-state || true"
)
# As the reload of systemd, without its check of the file, which was checked a moment ago: a second where processors are
# emulated. SIGUSR2 to the master process reloads: https://docs.haproxy.org/3.0/management.html#4
RELOAD = f"{SAVE_STATES}; systemctl kill --kill-whom=main --signal=USR2 %s"
UNIT = "/etc/systemd/system/haproxy.service.d/weblab.conf"


def desired(target: Target) -> Desired:
    """The desired state of a node with the role balancer."""
    haproxy = target.release.service("haproxy")
    conf, check = haproxy.conf, f"{haproxy.binary} -c -f %s"
    return Desired(
        packages=("haproxy", "socat"),  # socat sends commands to HAProxy's admin socket
        files=(
            File(conf, target.render("haproxy.cfg.j2"), check=check),
            File(UNIT, target.render("haproxy-unit.conf.j2")),
        ),
        units=(
            Unit(
                f"{haproxy.unit}.service",
                watches=(conf,),
                on_change=RELOAD % haproxy.unit,
            ),
        ),
        questions={NEWCOMERS: _newcomers(conf, [node.name for node in target.lab.having("web")])},
    )


def _newcomers(conf: str, names: Sequence[str]) -> str:
    """Bash that names the web servers that a HAProxy which has servers does not have yet."""
    lacks = f'grep -q "^ *server $name " {conf} || echo $name'
    return f"if grep -q '^ *server ' {conf}; then for name in {' '.join(names)}; do {lacks}; done; fi 2>/dev/null"
