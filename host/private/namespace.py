"""The network namespace of the private hypervisor, and the only connection between it and this machine."""

import json
import os
from collections.abc import Sequence
from ipaddress import IPv4Network
from pathlib import Path

from host.names import LAST_RESORT_METRIC, NAMESPACE, ROUTE_METRIC, RUN, UPLINK_INSIDE, UPLINK_OUTSIDE
from host.private import firewall, link, resolver
from host.private.firewall import Rule
from lab import process, progress

TIMEOUT_S = 20.0
FILE = Path("/run/netns") / NAMESPACE
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
FORWARDING_BEFORE = RUN / "ip_forward"

ESTABLISHED = "-m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"
CLAMP = "-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu"
# These stand before libvirt's rules, which reject packets from outside.
FIRST_INSIDE = (
    Rule("filter", "FORWARD", f"-o {UPLINK_INSIDE} {ESTABLISHED}"),
    Rule("filter", "FORWARD", f"-i {UPLINK_INSIDE} -j ACCEPT"),
)
# Guests reach the internet; other packets are not forwarded into the lab. Each is inserted at the head, so in reverse.
OUTSIDE = (
    Rule("filter", "FORWARD", f"-o {UPLINK_OUTSIDE} -j DROP"),
    Rule("filter", "FORWARD", f"-o {UPLINK_OUTSIDE} {ESTABLISHED}"),
    Rule("filter", "FORWARD", f"-i {UPLINK_OUTSIDE} -j ACCEPT"),
)


def exists() -> bool:
    """Whether the namespace exists; after a power cut its name can be an empty file."""
    return FILE.exists() and os.stat(FILE).st_dev != os.stat(FILE.parent).st_dev


def inside(*argv: str) -> list[str]:
    """The command line that runs `argv` in the namespace."""
    return ["ip", "netns", "exec", NAMESPACE, *argv]


def make(networks: Sequence[IPv4Network]) -> None:
    """Create what is missing: last-resort routes, namespace, veth pair, routes, address translation."""
    guard(networks)
    if not exists():
        FILE.unlink(missing_ok=True)
        process.run(["ip", "netns", "add", NAMESPACE], timeout=TIMEOUT_S)
    _guard_inside(networks)
    subnet = link.make(inside())
    for network in networks:
        route = ["ip", "route", "replace", str(network), "via", str(link.inner(subnet))]
        process.run([*route, "metric", str(ROUTE_METRIC)], timeout=TIMEOUT_S)
    _forward()
    for rule in _translations(subnet):
        firewall.ensure(rule)
    for rule in _rules_inside(subnet, networks):
        firewall.ensure(rule, inside())
    resolver.provide()


def guard(networks: Sequence[IPv4Network]) -> None:
    """Add a last-resort 'unreachable' route for each lab network, so that no packet for it leaves this machine."""
    for network in networks:
        route = ["ip", "route", "replace", "unreachable", str(network), "metric", str(LAST_RESORT_METRIC)]
        process.run(route, timeout=TIMEOUT_S)


def unguard() -> None:
    """Remove the last-resort routes: the last step of the removal."""
    shown = process.run(["ip", "-4", "route", "show", "type", "unreachable"], timeout=TIMEOUT_S).output
    for line in shown.splitlines():
        words = line.split()
        if words[-2:] == ["metric", str(LAST_RESORT_METRIC)]:
            process.run(["ip", "route", "del", *words], timeout=TIMEOUT_S, ok=(0, 2))


def prefer_our_rules() -> None:
    """Put the rules that admit the hosting machine before those of libvirt."""
    firewall.put_first(FIRST_INSIDE, inside())


def forward_at_once() -> None:
    """Let the bridges of the lab's networks forward as soon as a machine is there; does nothing without a namespace.

    libvirt switches the spanning tree protocol on, and the kernel then looks for loops for twice two seconds, each time
    that a machine is started or put back. A bridge with nothing but machines has none.
    """
    if not exists():
        return
    shown = process.run(inside("ip", "-j", "link", "show", "type", "bridge"), timeout=TIMEOUT_S)
    for name in (it["ifname"] for it in json.loads(shown.output or "[]")):
        process.run(inside("ip", "link", "set", name, "type", "bridge", "stp_state", "0"), timeout=TIMEOUT_S)


def remove() -> None:
    """Remove namespace, veth pair and changes on this machine; the last-resort routes stay."""
    for rule in _translations(link.network()):
        firewall.remove(rule)
    link.remove()
    if FILE.exists():
        process.run(["ip", "netns", "del", NAMESPACE], timeout=TIMEOUT_S, ok=(0, 1))
    FILE.unlink(missing_ok=True)
    _stop_forwarding()
    resolver.remove()


def _guard_inside(networks: Sequence[IPv4Network]) -> None:
    """The same in the namespace, as routing rules: libvirt refuses a network if a route to its range exists."""
    for network in networks:
        known = ["pref", "100", "to", str(network), "lookup", "main", "suppress_prefixlength", "0"]
        rest = ["pref", "101", "to", str(network), "unreachable"]
        for rule in (known, rest):
            process.run(inside("ip", "rule", "add", *rule), timeout=TIMEOUT_S, ok=(0, 2))  # 2: the rule exists


def _forward() -> None:
    before = FORWARDING.read_text().strip()
    if before != "1":
        RUN.mkdir(parents=True, exist_ok=True)
        FORWARDING_BEFORE.write_text(before)
        FORWARDING.write_text("1")
    process.run(inside("sh", "-c", f"echo 1 >{FORWARDING}"), timeout=TIMEOUT_S)


def _stop_forwarding() -> None:
    """Restore the value from before the lab, unless a program that started later needs forwarding, like Docker."""
    if not FORWARDING_BEFORE.exists():
        return
    others = firewall.listed("filter", "FORWARD") + firewall.listed("nat", "POSTROUTING") + firewall.others_hooks()
    if others:
        progress.say("host", f"leaving {FORWARDING} at 1: another program has rules for forwarding, {others[0]!r}")
    else:
        FORWARDING.write_text(FORWARDING_BEFORE.read_text())
    FORWARDING_BEFORE.unlink()


def _translations(subnet: IPv4Network | None) -> list[Rule]:
    if subnet is None:
        return list(OUTSIDE)
    return [*OUTSIDE, Rule("nat", "POSTROUTING", f"-s {subnet} ! -o {UPLINK_OUTSIDE} -j MASQUERADE")]


def _rules_inside(subnet: IPv4Network, networks: Sequence[IPv4Network]) -> list[Rule]:
    """Rules that make the hosting machine appear as the gateway of the guests' network, as with any libvirt."""
    return [
        Rule("mangle", "FORWARD", f"-o {UPLINK_INSIDE} {CLAMP}"),
        Rule("nat", "POSTROUTING", f"-o {UPLINK_INSIDE} -j MASQUERADE"),
        *(Rule("nat", "POSTROUTING", f"-s {subnet} -d {network} -j MASQUERADE") for network in networks),
    ]
