"""What a fault did, and how long something took, in plain words."""

from collections.abc import Mapping
from typing import Any

PHRASES = {
    "power-off": "{node} lost its power",
    "crash": "the kernel of {node} crashed",
    "freeze": "{node} froze",
    "reboot": "{node} was rebooted",
    "shutdown": "{node} was shut down",
    "power-button": "the power button of {node} was pressed",
    "service-kill": "{service} on {node} was killed",
    "service-stop": "{service} on {node} was stopped",
    "service-freeze": "{service} on {node} froze",
    "partition": "{node} was cut off from {peer}",
    "slow": "the network of {node} became bad{how}",
    "disk-full": "the disk of {node} was full",
    "cpu-hog": "other programs took the processor of {node}",
    "php-limit": "PHP on {node} became slow{how}",
    "memory-hog": "another program took the memory of {node}",
    "clock-skew": "the clock of {node} jumped{how}",
    "replication-stop": "replication to {node} stopped",
    "replication-lag": "replication to {node} fell behind{how}",
    "replication-slow": "replication to {node} became slow{how}",
    "large-transaction": "a large transaction was committed on {node}{how}",
}
SIZES = {
    "delay_ms": "{:g} ms of delay",
    "jitter_ms": "{:g} ms of jitter",
    "loss_percent": "{:g} % of packets lost",
    "rate_kbit": "{:g} kbit/s",
    "seconds": "{:+g} s",
    "megabytes": "{:g} MB",
    "pages_per_s": "{:g} requests a second at most",
}
PRODUCTS = {"haproxy": "HAProxy", "nginx": "Nginx", "php-fpm": "PHP-FPM", "mysql": "MySQL"}


def phrase(fault: Mapping[str, Any]) -> str:
    """The words for one fault; a kind that has none here is named as it is."""
    sizes = [words.format(fault[key]) for key, words in SIZES.items() if fault.get(key)]
    peer, service = fault.get("peer") or "all", fault.get("service") or "a service"
    return PHRASES.get(fault["kind"], "{node}: {kind}").format(
        kind=fault["kind"],
        node=fault["node"],
        service=PRODUCTS.get(service, service),
        peer="all other nodes" if peer == "all" else peer,
        how=f" ({', '.join(sizes)})" if sizes else "",
    )


def duration(seconds: float) -> str:
    """Seconds as one says them: 2.1 s, 41 s."""
    return f"{seconds:.1f} s" if round(seconds, 1) < 10 else f"{seconds:.0f} s"
