"""Role nameserver: dnsmasq answers for the site's name with the balancer's address."""

from lab.desired.ensure import Desired, File, Unit
from lab.desired.target import Target

CONF = "/etc/dnsmasq.conf"


def desired(target: Target) -> Desired:
    """What the nameserver role wants of a node."""
    restart = "systemctl restart dnsmasq"  # dnsmasq reads its configuration only when it starts
    return Desired(
        packages=("dnsmasq",),
        files=(File(CONF, target.render("dnsmasq.conf.j2"), check="dnsmasq --test -C %s"),),
        units=(Unit("dnsmasq.service", watches=(CONF,), on_change=restart),),
    )
