"""Who uses an address range on this machine besides the lab."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from ipaddress import IPv4Network
from typing import Any

from host.names import LAST_RESORT_METRIC, UPLINK_OUTSIDE
from lab import process

TIMEOUT_S = 20.0
ADDRESSES, ROUTES = ("addr",), ("route", "show", "table", "all")
OURS = ("main", "default")  # tables; another one is a VPN's, like Tailscale's 52, and may be asked first
WIDEST = 8  # a wider route stands for all others: a VPN leaves to the main table what is nearer there


@dataclass(frozen=True)
class Shown:
    """The answers of `ip -j -4 addr` and `ip -j -4 route show table all`."""

    addresses: str
    routes: str


def ask() -> Shown:
    """Ask for this machine's addresses and routes."""
    outputs = [process.run(["ip", "-j", "-4", *words], timeout=TIMEOUT_S).output for words in (ADDRESSES, ROUTES)]
    return Shown(*outputs)


def clashes(network: IPv4Network, shown: Shown, ours: Collection[str]) -> list[str]:
    """The interfaces and routes of others that overlap `network`; `ours` are patterns of the lab's own interfaces."""
    found = []
    for interface in json.loads(shown.addresses):
        for used in (text for address in interface.get("addr_info", []) for text in _used(address)):
            if IPv4Network(used, strict=False).overlaps(network) and not _is_ours(interface["ifname"], ours):
                found.append(f"interface {interface['ifname']} ({used})")
    for route in json.loads(shown.routes):
        if _is_foreign(route, network, ours):
            found.append(f"the route to {route['dst']} through {route.get('dev', route.get('type', 'nothing'))}")
    return found


def _used(address: Mapping[str, Any]) -> list[str]:
    """The range of an address; of a tunnel's, which has a peer, the range is that of the other end."""
    own, peer, length = address["local"], address.get("address"), address["prefixlen"]
    return [f"{own}/32", f"{peer}/{length}"] if peer else [f"{own}/{length}"]


def _is_foreign(route: dict[str, object], network: IPv4Network, ours: Collection[str]) -> bool:
    """A wider route is no clash: ours is nearer, and wins, where both are in the same table."""
    if route["dst"] == "default" or route.get("protocol") == "kernel":
        return False  # the kernel's own belong to the interfaces
    if route.get("metric") == LAST_RESORT_METRIC and route.get("type") == "unreachable":
        return False
    to = IPv4Network(str(route["dst"]))
    before = route.get("table", "main") not in OURS and to.prefixlen >= WIDEST and to.overlaps(network)
    return (before or to.subnet_of(network)) and not _is_ours(str(route.get("dev", "")), ours)


def _is_ours(interface: str, ours: Collection[str]) -> bool:
    return any(fnmatch(interface, pattern) for pattern in (UPLINK_OUTSIDE, *ours))
