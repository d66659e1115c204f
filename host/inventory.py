"""What libvirt holds of a lab on this machine, whoever made it."""

import shutil
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from xml.etree import ElementTree

from host import daemons
from host.names import LIBVIRT_URI, NETWORKS, POOL, PREFIX
from lab import process

TIMEOUT_S = 30.0
SOURCE = "Source: "  # vagrant-libvirt writes the Vagrantfile's path as description


@dataclass(frozen=True)
class Domain:
    """A libvirt domain of a lab; `checkout` is the folder of the Vagrantfile that made it."""

    name: str
    uuid: str
    running: bool
    checkout: Path | None
    disks: tuple[Path, ...]


@dataclass(frozen=True)
class Network:
    """A libvirt network of a lab, its bridge and its range."""

    name: str
    bridge: str
    range: IPv4Network | None


@dataclass(frozen=True)
class Inventory:
    """Everything of labs in libvirt: domains, volumes (name to path), networks."""

    domains: tuple[Domain, ...] = ()
    volumes: tuple[tuple[str, Path], ...] = ()
    networks: tuple[Network, ...] = ()


def take() -> Inventory:
    """Ask libvirt; empty where it does not run."""
    if not shutil.which("virsh") or not daemons.answers():
        return Inventory()
    return Inventory(tuple(_domains()), tuple(_volumes()), tuple(_networks()))


def virsh(*words: str, ok: tuple[int, ...] = (0,)) -> str:
    """Run a virsh command on the system's libvirt and return what it printed."""
    return process.run(["virsh", "-c", LIBVIRT_URI, *words], timeout=TIMEOUT_S, ok=ok, env=process.IN_ENGLISH).output


def parse_table(table: str) -> list[list[str]]:
    """The rows of a virsh table, split at white space; headings and rule are left out."""
    return [line.split() for line in table.splitlines()[2:] if line.strip()]


def parse_domain(xml: str, *, running: bool) -> Domain:
    """A domain from its XML."""
    root = ElementTree.fromstring(xml)
    description = root.findtext("description", "").strip()
    checkout = Path(description.removeprefix(SOURCE)).parent if description.startswith(SOURCE) else None
    disks = [Path(source.get("file", "")) for source in root.iterfind("devices/disk/source")]
    return Domain(root.findtext("name", ""), root.findtext("uuid", ""), running, checkout, tuple(disks))


def parse_network(xml: str) -> Network:
    """A network from its XML."""
    root = ElementTree.fromstring(xml)
    bridge, ip = root.find("bridge"), root.find("ip")
    range_ = None
    if ip is not None:
        mask = ip.get("netmask") or ip.get("prefix")
        range_ = IPv4Network(f"{ip.get('address')}/{mask}", strict=False)
    return Network(root.findtext("name", ""), bridge.get("name", "") if bridge is not None else "", range_)


def _domains() -> list[Domain]:
    rows = parse_table(virsh("list", "--all"))
    states = {row[1]: " ".join(row[2:]) for row in rows if row[1].startswith(PREFIX)}
    return [
        parse_domain(virsh("dumpxml", "--inactive", name), running=state != "shut off")
        for name, state in states.items()
    ]


def _volumes() -> list[tuple[str, Path]]:
    if POOL not in [row[0] for row in parse_table(virsh("pool-list"))]:
        return []
    virsh("pool-refresh", POOL)
    rows = parse_table(virsh("vol-list", POOL))
    return [(row[0], Path(row[1])) for row in rows if row[0].startswith(PREFIX)]


def _networks() -> list[Network]:
    names = [row[0] for row in parse_table(virsh("net-list", "--all"))]
    return [parse_network(virsh("net-dumpxml", name)) for name in names if name in NETWORKS]
