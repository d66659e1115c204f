"""The veth pair between the hosting machine and the private hypervisor's namespace."""

import json
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network

from host.addresses import ROUTES
from host.names import NAMESPACE, UPLINK_INSIDE, UPLINK_OUTSIDE
from lab import process
from lab.errors import InfrastructureBroken

TIMEOUT_S = 20.0
USUAL_MTU = 1500
WIDEST_PRIVATE = 8  # 10.0.0.0/8
CANDIDATES = tuple(IPv4Network(f"{base}/30") for base in ("10.200.0.0", "172.31.255.252", "100.127.255.252"))


def outer(subnet: IPv4Network) -> IPv4Address:
    """The hosting machine's address on the pair."""
    return subnet.network_address + 1


def inner(subnet: IPv4Network) -> IPv4Address:
    """The namespace's address on the pair."""
    return subnet.network_address + 2


def make(inside: Sequence[str]) -> IPv4Network:
    """Create or repair the pair, and return its network; `inside` is the prefix of a command in the namespace."""
    subnet = network()
    if subnet is None or not _peer_is_there(inside):
        remove()
        subnet = free(in_use(process.run(["ip", "-j", "-4", *ROUTES], timeout=TIMEOUT_S).output))
        mtu = str(_mtu())
        pair = ["ip", "link", "add", UPLINK_OUTSIDE, "mtu", mtu, "type", "veth"]
        process.run([*pair, "peer", "name", UPLINK_INSIDE, "mtu", mtu, "netns", NAMESPACE], timeout=TIMEOUT_S)
    for where, device, address in (([], UPLINK_OUTSIDE, outer(subnet)), (inside, UPLINK_INSIDE, inner(subnet))):
        process.run([*where, "ip", "addr", "replace", f"{address}/30", "dev", device], timeout=TIMEOUT_S)
        process.run([*where, "ip", "link", "set", device, "up"], timeout=TIMEOUT_S)
    process.run([*inside, "ip", "link", "set", "lo", "up"], timeout=TIMEOUT_S)
    process.run([*inside, "ip", "route", "replace", "default", "via", str(outer(subnet))], timeout=TIMEOUT_S)
    return subnet


def network() -> IPv4Network | None:
    """The pair's network, or None if the pair is missing or has no address."""
    shown = process.run(["ip", "-j", "-4", "addr", "show", "dev", UPLINK_OUTSIDE], timeout=TIMEOUT_S, ok=(0, 1))
    return parse_network(shown.output) if shown.exit_code == 0 else None


def remove() -> None:
    """Remove the pair: removing one end removes both."""
    process.run(["ip", "link", "del", UPLINK_OUTSIDE], timeout=TIMEOUT_S, ok=(0, 1))


def parse_network(addresses: str) -> IPv4Network | None:
    """The first network in the output of `ip -j addr`."""
    for interface in json.loads(addresses or "[]"):
        for address in interface.get("addr_info", []):
            return IPv4Network(f"{address['local']}/{address['prefixlen']}", strict=False)
    return None


def free(used: Iterable[IPv4Network]) -> IPv4Network:
    """The first of CANDIDATES that overlaps none of `used`."""
    known = list(used)
    for candidate in CANDIDATES:
        if not any(candidate.overlaps(network) for network in known):
            return candidate
    tried = ", ".join(map(str, CANDIDATES))
    raise InfrastructureBroken(
        f"host: no free network for the connection to the lab: {tried} are all in use",
        evidence="\n".join(map(str, known)),
        hint="stop using one of them; the routes are in: ip route",
    )


def _peer_is_there(inside: Sequence[str]) -> bool:
    command = [*inside, "ip", "link", "show", "dev", UPLINK_INSIDE]
    return process.run(command, timeout=TIMEOUT_S, ok=(0, 1)).exit_code == 0


def in_use(routes: str) -> list[IPv4Network]:
    """The networks of `ip -j route`, without wider ones than any private network: these are a VPN's default route."""
    used = [IPv4Network(route["dst"]) for route in json.loads(routes) if route["dst"] != "default"]
    return [network for network in used if network.prefixlen >= WIDEST_PRIVATE]


def _mtu() -> int:
    """The MTU of the default route: with a larger one inside, packets to the internet would be lost."""
    routes = json.loads(process.run(["ip", "-j", "-4", "route", "show", "default"], timeout=TIMEOUT_S).output)
    if not routes:
        return USUAL_MTU
    shown = process.run(["ip", "-j", "link", "show", "dev", routes[0]["dev"]], timeout=TIMEOUT_S)
    return int(json.loads(shown.output)[0]["mtu"])
