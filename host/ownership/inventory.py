"""The machines, volumes and networks of any lab that libvirt has on this machine."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from xml.etree import ElementTree

from host.names import LIBVIRT_URI, MANAGEMENT_NETWORK, NETWORKS, POOL, PREFIX
from host.private import daemons
from lab import process

TIMEOUT_S = 30.0
BOX_IMAGE = "_vagrant_box_image_"
SOURCE = "Source: "  # vagrant-libvirt writes the Vagrantfile's path as description


@dataclass(frozen=True)
class Domain:
    """A libvirt domain; `checkout` is the folder of the Vagrantfile that made it."""

    name: str
    uuid: str
    running: bool
    checkout: Path | None
    disks: tuple[Path, ...]
    networks: tuple[str, ...] = ()

    @property
    def of_a_lab(self) -> bool:
        """Whether it belongs to a lab: it has the lab's networks or, if incomplete, was made by a lab's Vagrantfile."""
        if not self.name.startswith(PREFIX):
            return False
        return MANAGEMENT_NETWORK in self.networks or bool(self.checkout and (self.checkout / "lab.yml").exists())


@dataclass(frozen=True)
class Network:
    """A libvirt network of a lab, with its bridge and its address range."""

    name: str
    bridge: str
    range: IPv4Network | None


@dataclass(frozen=True)
class Inventory:
    """The domains, volumes (name and path) and networks of labs in libvirt; `foreign`: names of all other domains.

    `shared`: names of networks that foreign domains use.
    """

    domains: tuple[Domain, ...] = ()
    volumes: tuple[tuple[str, Path], ...] = ()
    networks: tuple[Network, ...] = ()
    foreign: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()

    @property
    def own_networks(self) -> tuple[Network, ...]:
        """The networks that may be removed: no foreign machine uses them."""
        return tuple(it for it in self.networks if it.name not in self.shared)


def take() -> Inventory:
    """Ask libvirt; empty if it does not run."""
    if not shutil.which("virsh") or not daemons.answers():
        return Inventory()
    everyone = _domains()
    labs = tuple(domain for domain in everyone if domain.of_a_lab)
    used = {disk: domain.of_a_lab for domain in everyone for disk in domain.disks}
    others = [domain for domain in everyone if not domain.of_a_lab]
    foreign, shared = (tuple(it.name for it in others), tuple(name for it in others for name in it.networks))
    return Inventory(labs, tuple(_volumes(used)), tuple(_networks()), foreign, shared)


def virsh(*words: str, ok: tuple[int, ...] = (0,)) -> str:
    """Run a virsh command on the system's libvirt and return what it printed."""
    return process.run(["virsh", "-c", LIBVIRT_URI, *words], timeout=TIMEOUT_S, ok=ok, env=process.IN_ENGLISH).output


def parse_table(table: str) -> list[list[str]]:
    """The rows of a virsh table, split at white space, without the heading and the line below it."""
    return [line.split() for line in table.splitlines()[2:] if line.strip()]


def parse_domain(xml: str, *, running: bool) -> Domain:
    """A domain from its XML."""
    root = ElementTree.fromstring(xml)
    description = root.findtext("description", "").strip()
    checkout = Path(description.removeprefix(SOURCE)).parent if description.startswith(SOURCE) else None
    disks = [Path(source.get("file", "")) for source in root.iterfind("devices/disk/source")]
    networks = [source.get("network", "") for source in root.iterfind("devices/interface/source")]
    name, uuid = root.findtext("name", ""), root.findtext("uuid", "")
    return Domain(name, uuid, running, checkout, tuple(disks), tuple(networks))


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
    states = {row[1]: " ".join(row[2:]) for row in rows}
    return [
        parse_domain(virsh("dumpxml", "--inactive", name), running=state != "shut off")
        for name, state in states.items()
    ]


def _volumes(used: Mapping[Path, bool]) -> list[tuple[str, Path]]:
    """The volumes of labs; `used` maps each disk to whether a lab's domain has it."""
    if POOL not in [row[0] for row in parse_table(virsh("pool-list"))]:
        return []
    virsh("pool-refresh", POOL)
    rows = parse_table(virsh("vol-list", POOL))
    named = [(row[0], Path(row[1])) for row in rows if row[0].startswith(PREFIX)]
    backing = {name: _backing(name) for name, _ in named}
    below = {Path(it) for it in backing.values()}  # the base of a snapshot: in use, though no domain names it
    free = [(name, path) for name, path in named if path not in used and path not in below]
    return [it for it in named if used.get(it[1])] + [it for it in free if BOX_IMAGE in backing[it[0]]]


def _backing(volume: str) -> str:
    """The backing file of a volume; Vagrant's volumes are backed by a box image."""
    return ElementTree.fromstring(virsh("vol-dumpxml", volume, "--pool", POOL)).findtext("backingStore/path", "")


def _networks() -> list[Network]:
    names = [row[0] for row in parse_table(virsh("net-list", "--all"))]
    return [parse_network(virsh("net-dumpxml", name)) for name in names if name in NETWORKS]
