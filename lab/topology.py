"""lab.yml, completely checked, as frozen data."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from lab import yaml_file
from lab.errors import BadInput, did_you_mean
from lab.mistakes import Mistake, invalid
from lab.yaml_file import Document

ROOT = Path(__file__).resolve().parents[1]
Role = Literal["nameserver", "balancer", "web", "database"]
ROLES: tuple[str, ...] = get_args(Role)
NAME = r"^[a-z][a-z0-9-]{0,14}$"
SITE = r"([a-z0-9-]+\.)+[a-z]+"
PRIVATE = [IPv4Network(it) for it in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]  # RFC 1918
SMALLEST_PREFIX = 24
MANAGEMENT = IPv4Network("192.168.157.0/24")  # the default; the Vagrantfile has the same


@dataclass(frozen=True)
class Node:
    """One machine: memory in MB; `mac` is the hardware address of its network card on the lab network."""

    name: str
    ip: IPv4Address
    roles: tuple[str, ...]
    memory: int
    cpus: int

    @property
    def mac(self) -> str:
        """QEMU's prefix and the last three bytes of the address; the Vagrantfile has the same rule."""
        return "52:54:00:" + ":".join(f"{byte:02x}" for byte in self.ip.packed[1:])

    @property
    def server_id(self) -> int:
        """MySQL's server_id: unique in the lab because addresses are."""
        return self.ip.packed[3]


@dataclass(frozen=True)
class Box:
    """The Vagrant box of ordinary hosts, pinned."""

    name: str
    version: str


@dataclass(frozen=True)
class Lab:
    """The content of lab.yml; Vagrant reaches the nodes over the network `management`."""

    site: str
    network: IPv4Network
    management: IPv4Network
    box: Box
    nodes: tuple[Node, ...]

    def having(self, role: str) -> tuple[Node, ...]:
        """The nodes with a role, in the order of lab.yml."""
        return tuple(node for node in self.nodes if role in node.roles)

    def node(self, name: str) -> Node:
        """The node of that name; raises BadInput with the one that was probably meant."""
        nodes = {node.name: node for node in self.nodes}
        if name not in nodes:
            raise BadInput(f"there is no node {name!r}; {did_you_mean(name, nodes)}", hint="invoke lab.status")
        return nodes[name]

    @property
    def remote_readers(self) -> tuple[Node, ...]:
        """The web servers without a database: they read from the databases of other nodes."""
        return tuple(node for node in self.having("web") if "database" not in node.roles)

    @property
    def url(self) -> str:
        """The site's URL by address, for clients on the hosting machine."""
        return f"http://{self.having('balancer')[0].ip}/"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Box(_Strict):
    name: str = Field(min_length=1)
    version: str = Field(min_length=1)


class _Node(_Strict):
    ip: IPv4Address
    roles: list[Role] = Field(min_length=1)
    memory: int = Field(ge=512, le=65536)
    cpus: int = Field(default=1, ge=1, le=16)


_Range = Annotated[IPv4Network, BeforeValidator(str)]  # a number would be one address: 192 is 0.0.0.192/32


class _Lab(_Strict):
    site: str
    network: _Range
    management: _Range = MANAGEMENT
    box: _Box
    nodes: dict[str, _Node] = Field(min_length=1)


def load(path: Path = ROOT / "lab.yml") -> Lab:
    """Read and check lab.yml; raises BadInput that lists every mistake with its line and place."""
    if not path.exists():
        raise BadInput(f"there is no {path.name}", hint=f"bring it back: git checkout {path.name}")
    document = Document.read(path.name, yaml_file.text(path))
    if not isinstance(document.data, dict):
        raise document.without_settings("site:")
    mistakes = list(document.duplicates())
    parsed: _Lab | None = None
    try:
        parsed = _Lab.model_validate(document.data)
    except ValidationError as error:
        mistakes += invalid(error, "the lab", _Lab)
    mistakes += _between(document.data)
    if mistakes or parsed is None:
        raise document.refusal(mistakes)
    return _freeze(parsed)


def _between(data: Mapping[str, Any]) -> Iterator[Mistake]:
    """Contradictions between settings, found even if single settings are wrong too."""
    nodes = data.get("nodes")
    nodes = {str(k): v for k, v in nodes.items() if isinstance(v, dict)} if isinstance(nodes, dict) else {}
    if isinstance(site := data.get("site"), str) and not re.fullmatch(SITE, site):
        yield ("site",), f"must be a domain name in small letters, such as www.foobar.com (it is {site!r})"
    for name in ("network", "management"):
        yield from _network(name, str(data.get(name)))
    yield from _overlap(str(data.get("network")), str(data.get("management", MANAGEMENT)))
    yield from _names(nodes)
    yield from _addresses(nodes, str(data.get("network")))
    yield from _missing_roles(nodes)


def _network(name: str, text: str) -> Iterator[Mistake]:
    try:
        network = IPv4Network(text)
    except ValueError:
        return
    if network.is_loopback:
        return
    if not any(network.subnet_of(it) for it in PRIVATE):
        yield (name,), f"{network} is not private (RFC 1918): load and faults must never leave this machine"
    elif network.prefixlen < SMALLEST_PREFIX:
        why = "this machine could not reach other addresses in that range"
        yield (name,), f"{network} is too large, at most /{SMALLEST_PREFIX}: {why}"


def _overlap(network: str, management: str) -> Iterator[Mistake]:
    try:
        overlap = IPv4Network(network).overlaps(IPv4Network(management))
    except ValueError:
        return
    if overlap:
        yield ("network",), f"{network} overlaps {management}, over which Vagrant reaches the nodes (`management:`)"


def _names(nodes: Mapping[str, Any]) -> Iterator[Mistake]:
    for name in nodes:
        if not re.match(NAME, name):
            yield (
                ("nodes", name),
                "a node's name is a lower-case letter, then letters, digits or '-', 15 at most",
            )


def _addresses(nodes: Mapping[str, Any], network: str) -> Iterator[Mistake]:
    first: dict[IPv4Address, str] = {}
    for name, node in nodes.items():
        try:
            ip, net = IPv4Address(node.get("ip")), IPv4Network(network)
        except (AddressValueError, ValueError):
            continue
        place = ("nodes", name, "ip")
        if ip not in net or ip in (net[0], net[1], net[-1]):
            yield place, f"{ip} is not a usable address of {net} (the first belongs to the hosting machine)"
        if ip in first:
            yield place, f"{ip} is already the address of {first[ip]}"
        first.setdefault(ip, name)


def _missing_roles(nodes: Mapping[str, Any]) -> Iterator[Mistake]:
    given = [role for node in nodes.values() for role in _roles(node)]
    for role in ROLES:
        if nodes and role not in given:
            yield ("nodes",), f"no node has the role {role}"
    for role, most in (("balancer", 1), ("nameserver", 1), ("database", 2)):
        if given.count(role) > most:
            yield ("nodes",), f"{given.count(role)} nodes have the role {role}; the lab can use {most}"


def _roles(node: Mapping[str, Any]) -> list[str]:
    """The roles in a node's settings, if they are a list."""
    roles = node.get("roles")
    return [role for role in roles if isinstance(role, str)] if isinstance(roles, list) else []


def _freeze(parsed: _Lab) -> Lab:
    nodes = tuple(Node(name, node.ip, tuple(node.roles), node.memory, node.cpus) for name, node in parsed.nodes.items())
    box = Box(parsed.box.name, parsed.box.version)
    return Lab(parsed.site, parsed.network, parsed.management, box, nodes)
