"""Role nameserver: dnsmasq resolves the site's name to the balancer's address."""

from lab.desired.state import Desired, File, Unit
from lab.desired.target import Target


def desired(target: Target) -> Desired:
    """The desired state of a node with the role nameserver."""
    conf = target.release.service("dnsmasq").conf
    restart = "systemctl restart dnsmasq"  # dnsmasq reads its configuration only when it starts
    return Desired(
        packages=("dnsmasq",),
        files=(File(conf, target.render("dnsmasq.conf.j2"), check="dnsmasq --test -C %s"),),
        units=(Unit("dnsmasq.service", watches=(conf,), on_change=restart),),
    )
