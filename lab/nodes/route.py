"""The route to an address: it must be an address of the lab, and packets to it must stay on this machine."""

import json
import socket
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

from lab import process
from lab.errors import BadInput, LabNotUp
from lab.topology import Lab

UPLINK = "weblab-veth"  # the link to the private hypervisor; repeated from host.names, which this package can't import
UPLINK_FILE = Path("/sys/class/net") / UPLINK
ANY_PORT = 80


def belongs(lab: Lab, address: str) -> None:
    """Raise BadInput unless `address` is an address (never a name) inside the lab's network."""
    try:
        inside = IPv4Address(address) in lab.network
    except AddressValueError:
        inside = False
    if not inside:
        raise BadInput(f"{address} is not an address of the lab", hint=f"lab.yml has: {lab.network}, site at {lab.url}")


def guard(lab: Lab, address: str) -> None:
    """Raise BadInput or LabNotUp unless packets to `address` stay on this machine and its lab network.

    They do if their source is the hosting machine's own address in that network, its first (libvirt's bridge,
    VirtualBox's host-only adapter), or if they take the private hypervisor's uplink.
    """
    belongs(lab, address)
    source = _source(address)
    if source == lab.network[1] or (UPLINK_FILE.exists() and _device(address) == UPLINK):
        return
    raise LabNotUp(
        f"packets to {address} would leave this machine, from its address {source}: the lab's network is not up",
        evidence=f"in the lab's network, {lab.network}, this machine should have the address {lab.network[1]}",
        hint="start it: invoke lab.up",
    )


def _source(address: str) -> IPv4Address:
    """The source address of packets to `address`; connecting a UDP socket looks up the route and sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect((address, ANY_PORT))
        except OSError as error:
            raise LabNotUp(f"{address}: no route to it, the lab is down", hint="start it: invoke lab.up") from error
        return IPv4Address(asking.getsockname()[0])


def _device(address: str) -> str:
    output = process.run(["ip", "-j", "route", "get", address], timeout=10).output
    routes = json.loads(output or "[]")
    return str(routes[0].get("dev", "")) if routes else ""
