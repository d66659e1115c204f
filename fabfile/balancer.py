"""Role balancer: HAProxy in front of the web servers."""

from lab.desired.state import Desired, File, Unit
from lab.desired.target import Target

# The reload of systemd checks the file again, which was checked a moment ago: a second where processors are emulated.
# SIGUSR2 to the master process reloads: https://docs.haproxy.org/3.0/management.html#4
RELOAD = "kill -USR2 $(cat /run/haproxy.pid)"


def desired(target: Target) -> Desired:
    """The desired state of a node with the role balancer."""
    haproxy = target.release.service("haproxy")
    conf, check = haproxy.conf, f"{haproxy.binary} -c -f %s"
    return Desired(
        packages=("haproxy", "socat"),  # socat sends commands to HAProxy's admin socket
        files=(File(conf, target.render("haproxy.cfg.j2"), check=check),),
        units=(
            Unit(
                f"{haproxy.unit}.service",
                watches=(conf,),
                on_change=RELOAD,
            ),
        ),
    )
