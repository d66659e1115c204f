"""The way to an address: it must be one of the lab's, and no packet to it may leave by the default gateway."""

import json
import shutil
from ipaddress import AddressValueError, IPv4Address

from lab import process
from lab.errors import BadInput, LabNotUp, RigBroken
from lab.topology import Lab


def belongs(lab: Lab, address: str) -> None:
    """Raise BadInput unless `address` is an address (never a name) inside the lab's network."""
    try:
        inside = IPv4Address(address) in lab.network
    except AddressValueError:
        inside = False
    if not inside:
        raise BadInput(
            f"{address} is not an address of the lab", hint=f"lab.yml says: {lab.network}, site at {lab.url}"
        )


def guard(lab: Lab, address: str) -> None:
    """Raise BadInput or LabNotUp unless packets to `address` stay on this machine and its lab network."""
    belongs(lab, address)
    if shutil.which("ip") is None:
        return
    try:
        route = _route(["get", address])
    except RigBroken as error:
        raise LabNotUp(f"{address}: no way there, the lab is down", hint="start it: invoke lab.up") from error
    gateways = {it.get("gateway") for it in _routes(["show", "default"])} - {None}
    if route.get("type") == "unreachable" or route.get("gateway") in gateways:
        raise LabNotUp(
            f"{address} would leave this machine by its default gateway: the lab's network is not up",
            hint="start it: invoke lab.up",
        )


def _route(words: list[str]) -> dict[str, str]:
    return (_routes(words) or [{}])[0]


def _routes(words: list[str]) -> list[dict[str, str]]:
    output = process.run(["ip", "-j", "route", *words], timeout=10).output
    return list(json.loads(output or "[]"))
