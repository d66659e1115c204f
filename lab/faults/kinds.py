"""The faults there are, what each takes, and one fault as data. Nothing here touches a host."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lab import release
from lab.errors import BadInput, did_you_mean
from lab.mistakes import shown
from lab.topology import Lab, Node

ALL = "all"  # the peer of a partition that cuts a node off from every other
# Where each service runs: the role its node must have.
SERVICES = {it.name: it.role for it in release.SERVICES.values()}


class Integer(NamedTuple):
    """A whole number: its lowest and highest, and how far from 0 it is at least."""

    low: int
    high: int
    least: int = 1


Option = Integer | tuple[float, float] | type[bool]  # lowest and highest of any number, or yes and no
SHAPING: Mapping[str, Option] = {
    "delay_ms": (1, 5000),
    "jitter_ms": (1, 5000),
    "loss_percent": (0.1, 100),
    "rate_kbit": (8, 1_000_000),
}


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    `node_state`: what a node is that it has struck, where that leaves nothing else to break. `role`: the
    role its node must have. `one_of`: options of which it needs at least one; `needs`: an option that has
    no sense without another. `passes`: it ends by itself, and hinders nothing else from breaking there.
    """

    name: str
    description: str
    node_state: str = ""
    role: str = ""
    passes: bool = False
    service: bool = False
    peer: bool = False
    options: Mapping[str, Option] = field(default_factory=dict, hash=False)
    required: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    needs: Mapping[str, str] = field(default_factory=dict, hash=False)


_KINDS = (
    Kind("power-off", "the machine loses its power", node_state="powered off"),
    Kind("crash", "the kernel stops dead, with the power on", node_state="crashed"),
    Kind("freeze", "the whole machine stands still, and goes on later as if nothing had been", node_state="frozen"),
    Kind("reboot", "the machine restarts in an orderly way", node_state="rebooting"),
    Kind("shutdown", "the system shuts down in an orderly way, and the machine is off", node_state="shut down"),
    Kind("power-button", "somebody presses the power button: the system shuts down", node_state="shut down"),
    Kind("service-kill", "a service dies without a word", service=True, options={"restarts": bool}),
    Kind("service-stop", "a service is stopped as an administrator would", service=True),
    Kind("service-freeze", "a service keeps its connections and answers nobody", service=True),
    Kind("partition", "no packet passes between the node and its peer, or all others", peer=True),
    Kind(
        "slow",
        "packets leave the node late, or get lost, or have to queue",
        options=SHAPING,
        one_of=("delay_ms", "loss_percent", "rate_kbit"),
        needs={"jitter_ms": "delay_ms"},
    ),
    Kind("disk-full", "nothing more can be written to the node's disk"),
    Kind("cpu-hog", "other programs want all of the node's processor"),
    Kind(
        "php-limit",
        "the site's PHP answers no more than that many requests a second, one after another",
        role="web",
        options={"pages_per_s": Integer(1, 1000)},
        required=("pages_per_s",),
    ),
    Kind("memory-hog", "another program takes nearly all of the node's memory"),
    Kind(
        "clock-skew",
        "the node's clock jumps ahead, or back if seconds are negative",
        options={"seconds": Integer(-86400, 86400, least=3)},  # a smaller jump is within the tolerance
        required=("seconds",),
    ),
    Kind(
        "replication-stop",
        "the replica neither receives nor applies anything, or only receives nothing",
        role="database",
        options={"receiver_only": bool},
    ),
    Kind(
        "replication-lag",
        "the replica applies everything that many seconds late",
        role="database",
        options={"seconds": Integer(1, 600)},
        required=("seconds",),
    ),
    Kind(
        "replication-slow",
        "the replica receives no more than that many kilobits a second",
        role="database",
        options={"rate_kbit": SHAPING["rate_kbit"]},
        required=("rate_kbit",),
    ),
    Kind(
        "large-transaction",
        "one transaction of that many megabytes is committed on the primary",
        role="database",
        passes=True,
        options={"megabytes": Integer(1, 32)},
        required=("megabytes",),
    ),
)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _KINDS}
Key = tuple[str, str, str, str]
Spelled = Callable[[str], str]


def key_of(given: Mapping[str, Any]) -> Key:
    """What tells one fault from another; its options do not: a node is not slow twice."""
    kind, node, service, peer = (str(given.get(name) or "") for name in ("kind", "node", "service", "peer"))
    return kind, node, service, peer


@dataclass(frozen=True)
class Fault:
    """One fault, as an experiment or a command asks for it."""

    kind: str
    node: str
    service: str = ""
    peer: str = ""
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def key(self) -> Key:
        """What the ledger and conflicts know it by."""
        return self.kind, self.node, self.service, self.peer

    @property
    def id(self) -> str:
        """The same in one word: web1-power-off, web1-service-kill-nginx, web1-partition-lb1."""
        return "-".join(filter(None, (self.node, self.kind, self.service, self.peer)))

    def as_data(self) -> dict[str, Any]:
        """Flat, for the ledger and the timeline; `parse` reads it again."""
        names = {"id": self.id, "kind": self.kind, "node": self.node, "service": self.service, "peer": self.peer}
        return {**names, **self.options}

    @classmethod
    def parse(cls, lab: Lab, given: Mapping[str, Any]) -> "Fault":
        """Make a fault of what somebody wrote, or of `as_data`; raises BadInput naming every mistake."""
        given = {name: value for name, value in given.items() if name != "id"}
        found = list(mistakes(lab, given))
        if found:
            problems = [f"{name}: {text}" if name else text for name, text in found]
            raise BadInput.listing("this is not a fault that can be injected", problems, hint="invoke fault.list")
        kind, node, service, peer = key_of(given)
        return cls(kind, node, service, peer, {name: given[name] for name in KINDS[kind].options if name in given})


def mistakes(
    lab: Lab, given: Mapping[str, Any], *, complete: bool = True, spelled: Spelled = str
) -> Iterator[tuple[str, str]]:
    """All mistakes of a fault, as key ('' for the whole) and text.

    Healing names a fault without its options: that is not `complete`. `spelled`: an option as it was written, which on
    a command line is not as in a file.
    """
    yield from _known("kind", given, KINDS, "a kind of fault", "invoke fault.list")
    nodes = {node.name: node for node in lab.nodes}
    yield from _known("node", given, nodes, "a node")
    kind, node = KINDS.get(str(given.get("kind"))), nodes.get(str(given.get("node")))
    if kind:
        yield from _unknown_options(kind, given, spelled)
        yield from _options(kind, given, complete, spelled)
    if kind.service if kind else given.get("service"):
        yield from _known("service", given, SERVICES, "a service")
    if kind.peer if kind else given.get("peer"):
        peers = [name for name in (ALL, *nodes) if node is None or name != node.name]
        yield from _known("peer", given, peers, "a peer")
    if kind and node:
        yield from _place(kind, node, given)


def _known(
    key: str, given: Mapping[str, Any], known: Collection[str], what: str, all_of_them: str = ""
) -> Iterator[tuple[str, str]]:
    word = given.get(key)
    if word in (None, ""):
        yield key, "is missing"
    elif not isinstance(word, str) or word not in known:
        yield key, f"{shown(word)} is not {what}; {did_you_mean(word, known, all_of_them)}"


def _unknown_options(kind: Kind, given: Mapping[str, Any], spelled: Spelled) -> Iterator[tuple[str, str]]:
    taken = [*(name for name in ("service", "peer") if getattr(kind, name)), *kind.options]
    which = [spelled(name) for name in taken]
    for name, value in given.items():
        if name not in ("kind", "node", *taken) and not (name in ("service", "peer") and value == ""):
            meant = did_you_mean(spelled(str(name)), which) if which else "it takes none"
            yield str(name), f"is not an option of {kind.name}; {meant}"


def _options(kind: Kind, given: Mapping[str, Any], complete: bool, spelled: Spelled) -> Iterator[tuple[str, str]]:
    for name, option in kind.options.items():
        wanted = _wanted(option, given[name]) if name in given else ""
        if wanted:
            yield name, f"must be {wanted} (it is {shown(given[name])})"
    if not complete:
        return
    for name in kind.required:
        if name not in given:
            yield name, "is missing"
    if kind.one_of and not set(kind.one_of) & set(given):
        yield "", f"{kind.name} needs at least one of {', '.join(map(spelled, kind.one_of))}"
    for name, other in kind.needs.items():
        if name in given and other not in given:
            yield name, f"has no sense without {spelled(other)}"


def _wanted(option: Option, value: Any) -> str:
    """What an option takes, '' if that is what it got."""
    if isinstance(option, type):
        return "" if isinstance(value, bool) else "true or false"
    low, high = option[:2]
    fits = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    if not isinstance(option, Integer):
        return "" if fits else f"a number from {low} to {high}"
    fits = fits and value % 1 == 0 and abs(value) >= option.least
    minimum = f", at least {option.least} either way" if low < 0 else ""
    return "" if fits else f"a whole number from {low} to {high}{minimum}"


def _place(kind: Kind, node: Node, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Whether the node has what the fault breaks."""
    service = str(given.get("service"))
    role = SERVICES.get(service, "") if kind.service else kind.role
    if role and role not in node.roles:
        what = service if kind.service else kind.name
        yield "node", f"{what} needs a node with the role {role}; {node.name} is {' and '.join(node.roles)}"
