"""invoke lb.*: how the balancer shares requests: algorithm, mode, weights, persistence, drained servers."""

from collections.abc import Sequence
from json import dumps
from typing import Any, get_args

from invoke.collection import Collection
from invoke.context import Context

from commands.command import command, say
from fabfile.roles import ROLES
from lab import topology
from lab.errors import BadInput, did_you_mean
from lab.operations import balancing
from lab.state import choices
from lab.state.choices import FULL_WEIGHT, MOST_WEIGHT, Algorithm, Mode, Persistence
from lab.topology import Lab
from lab.wait import working

FORCE = {"force": "even if no other server takes requests: then every visitor gets 503"}


@command(changes=False, help={"json": "as data, for scripts"})
def status_(c: Context, json: bool = False) -> None:
    """Show how HAProxy shares requests now: algorithm, mode, and each server's state, weight and requests."""
    with working("lab", "still asks HAProxy"):
        found = balancing.now(topology.load())
    chosen = choices.load()
    say(dumps(balancing.data(found, chosen), indent=2) if json else "\n".join(balancing.table(found, chosen)))


@command(changes=True, positional=["name"], help={"draws": "of random: how many servers are compared"})
def algorithm(c: Context, name: str, draws: int = 0) -> None:
    """Choose which server gets a request: roundrobin, leastconn, source, random or first."""
    _one_of("algorithm", name, get_args(Algorithm))
    if draws and name != "random":
        raise BadInput(
            f"--draws: only the algorithm random draws servers, not {name}", hint="invoke --help lb.algorithm"
        )
    _change(topology.load(), name, algorithm=name, **({"draws": draws} if draws else {}))


@command(changes=True, positional=["name"])
def mode(c: Context, name: str) -> None:
    """Choose who serves: active-active, or active-passive, where the other server waits."""
    _one_of("mode", name, get_args(Mode))
    _change(topology.load(), name, mode=name)


@command(changes=True, positional=["name"])
def persistence(c: Context, name: str) -> None:
    """Choose whether a cookie brings a visitor back to the same server: none or cookie."""
    _one_of("persistence", name, get_args(Persistence))
    _change(topology.load(), name, persistence=name)


@command(changes=True, positional=["node", "weight"], help={"weight": "0 to 256; 100 if not chosen", **FORCE})
def weight(c: Context, node: str, weight: str, force: bool = False) -> None:
    """Choose a server's share of the requests, relative to the others' weights; 0: no new requests."""
    lab = topology.load()
    balancing.server(lab, node)
    share = _weight(node, weight)
    if not share and not force:
        balancing.must_serve(lab, node, "given weight 0")
    weights = {**choices.load().weights, node: share}
    _change(lab, weights={name: it for name, it in weights.items() if it != FULL_WEIGHT})


@command(changes=True, positional=["node"], help=FORCE)
def drain(c: Context, node: str, force: bool = False) -> None:
    """Send a server no new requests; it completes those that it has. lb.ready brings it back."""
    lab = topology.load()
    balancing.server(lab, node)
    if not force:
        balancing.must_serve(lab, node, "drained")
    _change(lab, drained=sorted({*choices.load().drained, node}))


@command(changes=True, positional=["node"])
def ready(c: Context, node: str) -> None:
    """Send a drained server requests again, by its weight."""
    lab = topology.load()
    balancing.server(lab, node)
    _change(lab, drained=[it for it in choices.load().drained if it != node])


def _weight(node: str, text: str) -> int:
    if not text.isdecimal() or int(text) > MOST_WEIGHT:
        raise BadInput(f"the weight of {node} must be a whole number from 0 to {MOST_WEIGHT} (it is {text!r})")
    return int(text)


def _one_of(what: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise BadInput(f"{name!r} is not {what}; {did_you_mean(name, known)}", hint=f"invoke lb.{what} {known[0]}")


def _change(lab: Lab, means: str = "", **wanted: Any) -> None:
    found = balancing.change(lab, ROLES, **wanted)
    say("\n".join([*balancing.MEANS.get(means, ()), *balancing.table(found, choices.load())]))


commands = Collection("lb", algorithm, mode, persistence, weight, drain, ready)
commands.add_task(status_, name="status")
