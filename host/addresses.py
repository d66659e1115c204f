"""Who uses an address range on this machine besides the lab."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatch
from ipaddress import IPv4Network

from host.names import LAST_RESORT_METRIC, UPLINK_OUTSIDE
from lab import process

TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Shown:
    """The answers of `ip -j -4 addr` and `ip -j -4 route`."""

    addresses: str
    routes: str


def ask() -> Shown:
    """Ask for this machine's addresses and routes."""
    told = [process.run(["ip", "-j", "-4", what], timeout=TIMEOUT_S).output for what in ("addr", "route")]
    return Shown(*told)


def clashes(network: IPv4Network, shown: Shown, ours: Collection[str]) -> list[str]:
    """The interfaces and routes of others that overlap `network`; `ours` are patterns of the lab's own interfaces."""
    found = []
    for interface in json.loads(shown.addresses):
        for address in interface.get("addr_info", []):
            used = IPv4Network(f"{address['local']}/{address['prefixlen']}", strict=False)
            if used.overlaps(network) and not _is_ours(interface["ifname"], ours):
                found.append(f"interface {interface['ifname']} ({address['local']}/{address['prefixlen']})")
    for route in json.loads(shown.routes):
        if _is_foreign(route, network, ours):
            found.append(f"the route to {route['dst']} through {route.get('dev', route.get('type', 'nothing'))}")
    return found


def _is_foreign(route: dict[str, object], network: IPv4Network, ours: Collection[str]) -> bool:
    """A wider route is no clash: ours is nearer, and wins."""
    if route["dst"] == "default" or route.get("protocol") == "kernel":
        return False  # the kernel's own belong to the interfaces
    if route.get("metric") == LAST_RESORT_METRIC and route.get("type") == "unreachable":
        return False
    to = IPv4Network(str(route["dst"]))
    return to.subnet_of(network) and not _is_ours(str(route.get("dev", "")), ours)


def _is_ours(interface: str, ours: Collection[str]) -> bool:
    return any(fnmatch(interface, pattern) for pattern in (UPLINK_OUTSIDE, *ours))
