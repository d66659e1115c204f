"""Interfaces and routes on this machine, other than the lab's, that use an address range."""

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
# The system's own routing tables. Any other table belongs to a VPN (Tailscale uses 52) and may be consulted first.
OURS = ("main", "default")
WIDEST = 8  # a wider route is a VPN's default route: the VPN leaves more specific destinations to the main table


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
    """The other interfaces and routes that overlap `network`; `ours` has name patterns of the lab's own interfaces."""
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
    """The ranges of an address. A tunnel's address has a peer: its range is that of the peer."""
    own, peer, length = address["local"], address.get("address"), address["prefixlen"]
    return [f"{own}/32", f"{peer}/{length}"] if peer else [f"{own}/{length}"]


def _is_foreign(route: dict[str, object], network: IPv4Network, ours: Collection[str]) -> bool:
    """Whether a route clashes with `network`. A wider route in the same table does not: the lab's is more specific."""
    if route["dst"] == "default" or route.get("protocol") == "kernel":
        return False  # the kernel adds these for the addresses of interfaces
    if route.get("metric") == LAST_RESORT_METRIC and route.get("type") == "unreachable":
        return False
    to = IPv4Network(str(route["dst"]))
    before = route.get("table", "main") not in OURS and to.prefixlen >= WIDEST and to.overlaps(network)
    return (before or to.subnet_of(network)) and not _is_ours(str(route.get("dev", "")), ours)


def _is_ours(interface: str, ours: Collection[str]) -> bool:
    return any(fnmatch(interface, pattern) for pattern in (UPLINK_OUTSIDE, *ours))
