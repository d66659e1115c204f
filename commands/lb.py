"""invoke lb.*: how the balancer shares requests: algorithm, mode, weights, persistence, drained servers."""

from collections.abc import Sequence
from json import dumps
from textwrap import wrap
from typing import Any, get_args

from invoke.collection import Collection
from invoke.context import Context

from commands.command import command, say
from fabfile.roles import ROLES
from lab import topology
from lab.errors import BadInput, did_you_mean
from lab.nodes import haproxy
from lab.nodes.ssh import Machine
from lab.operations import balancing
from lab.state import choices
from lab.state.choices import FULL_WEIGHT, MOST_WEIGHT, Algorithm, Mode, Persistence
from lab.topology import Lab
from lab.wait import working

WIDTH = 78
SERVER = "a web server: web1, web2, ... as in lab.yml"
FORCE = {"force": "even if no other server takes requests: then every visitor gets 503"}


@command(changes=False, help={"json": "as data, for scripts"})
def status_(c: Context, json: bool = False) -> None:
    """Show how HAProxy shares requests now: algorithm, mode, and each server's state, weight and requests."""
    with working("lab", "still asks HAProxy"):
        found = haproxy.ask(balancing.machine_of(topology.load()))
    chosen = choices.load()
    say(dumps(balancing.data(found, chosen), indent=2) if json else "\n".join(balancing.table(found, chosen)))


ALGORITHMS = {
    "name": "roundrobin, leastconn, source, random or first",
    "draws": "of random: how many servers are compared, 2 if not chosen",
}


@command(changes=True, positional=["name"], help=ALGORITHMS)
def algorithm(c: Context, name: str, draws: str = "") -> None:
    """Choose which server gets a request: roundrobin, leastconn, source, random or first."""
    _one_of("algorithm", name, get_args(Algorithm))
    if draws and name != "random":
        raise BadInput(
            f"--draws: only the algorithm random draws servers, not {name}", hint="invoke --help lb.algorithm"
        )
    lab = topology.load()
    _change(lab, balancing.machine_of(lab), name, algorithm=name, **({"draws": draws} if draws else {}))


@command(changes=True, positional=["name"], help={"name": "active-active or active-passive"})
def mode(c: Context, name: str) -> None:
    """Choose who serves: active-active, or active-passive, where the other server waits."""
    _one_of("mode", name, get_args(Mode))
    lab = topology.load()
    if name == "active-passive":
        balancing.must_have_a_backup(lab)
    _change(lab, balancing.machine_of(lab), name, mode=name)


@command(changes=True, positional=["name"], help={"name": "none or cookie"})
def persistence(c: Context, name: str) -> None:
    """Choose whether a cookie brings a visitor back to the same server: none or cookie."""
    _one_of("persistence", name, get_args(Persistence))
    lab = topology.load()
    _change(lab, balancing.machine_of(lab), name, persistence=name)


@command(changes=True, positional=["node", "weight"], help={"node": SERVER, "weight": "1 to 256; 100 if not chosen"})
def weight(c: Context, node: str, weight: str) -> None:
    """Choose a server's share of the requests, relative to the others' weights."""
    lab = topology.load()
    balancing.server(lab, node)
    weights = {**choices.load().weights, node: _weight(node, weight)}
    others = {name: it for name, it in weights.items() if it != FULL_WEIGHT}
    _change(lab, balancing.machine_of(lab), named=node, weights=others)


@command(changes=True, positional=["node"], help={"node": SERVER, **FORCE})
def drain(c: Context, node: str, force: bool = False) -> None:
    """Send a server no new requests; it completes those that it has. lb.ready brings it back."""
    lab = topology.load()
    balancing.server(lab, node)
    machine = balancing.machine_of(lab)
    if not force:
        balancing.must_serve(machine, node)
    _change(lab, machine, named=node, drained=sorted({*choices.load().drained, node}))


@command(changes=True, positional=["node"], help={"node": SERVER})
def ready(c: Context, node: str) -> None:
    """Send a drained server requests again, by its weight."""
    lab = topology.load()
    balancing.server(lab, node)
    drained = [it for it in choices.load().drained if it != node]
    _change(lab, balancing.machine_of(lab), named=node, drained=drained)


def _weight(node: str, text: str) -> int:
    if not text.isdecimal() or int(text) > MOST_WEIGHT:
        raise BadInput(f"the weight of {node} must be a whole number from 1 to {MOST_WEIGHT} (it is {text!r})")
    if int(text) == 0:
        raise BadInput(f"with weight 0 {node} gets no new requests: it is drained", hint=f"invoke lb.drain {node}")
    return int(text)


def _one_of(what: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise BadInput(f"{name!r} can't be the {what}; {did_you_mean(name, known)}", hint=f"invoke --help lb.{what}")


def _change(lab: Lab, machine: Machine, means: str = "", **wanted: Any) -> None:
    found = balancing.change(lab, ROLES, machine, **wanted)
    texts = zip(("does      ", "costs     "), balancing.MEANS.get(means, ()), strict=False)
    meaning = [line for label, text in texts for line in wrap(label + text, WIDTH, subsequent_indent=" " * 10)]
    say("\n".join([*meaning, *balancing.table(found, choices.load())]))


commands = Collection("lb", algorithm, mode, persistence, weight, drain, ready)
commands.add_task(status_, name="status")
