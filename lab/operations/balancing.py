"""The choices of the balancer: checked, kept, written into HAProxy's file, and seen in force."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from lab.desired.target import Roles
from lab.errors import BadInput, CheckFailed, LabError, LabNotUp, did_you_mean
from lab.nodes import haproxy, lifecycle
from lab.nodes.haproxy import BalancerNow, ServerNow
from lab.nodes.ssh import Machine
from lab.operations import converge
from lab.state import choices
from lab.state.choices import Choices
from lab.topology import Lab
from lab.wait import until

IN_FORCE_S = 15.0
POLL_S = 0.1
# What each does and costs: https://docs.haproxy.org/3.0/configuration.html#balance
MEANS: Mapping[str, tuple[str, str]] = {
    "roundrobin": (
        "each server in turn, in proportion to its weight",
        "a slow server gets as many requests as a fast one",
    ),
    "leastconn": (
        "the server with the fewest open requests, in proportion to its weight",
        "a slow server gets fewer requests; one that fails at once looks idle and attracts them",
    ),
    "source": (
        "a hash of the visitor's address chooses the server: the same one for each request",
        "with few addresses the shares are uneven; visitors behind one router all use one server",
    ),
    "random": (
        "HAProxy draws servers at random, two if not chosen otherwise; of several, the one with fewer open requests",
        "the shares are equal only on average",
    ),
    "first": (
        "the first server, until all its slots (maxconn) are in use; then the next one",
        "the other servers idle in quiet hours; weights are ignored",
    ),
    "active-active": ("all servers share the load", "without one of them, the others must do for all"),
    "active-passive": (
        "the first web server of lab.yml serves; the next one takes over while it is DOWN or drained",
        "the passive server idles, and weights have no effect",
    ),
    "none": ("each request of a visitor may go to another server", "a session must be kept where all servers find it"),
    "cookie": (
        "a cookie, SERVER, brings a visitor back to the same server, even while that is drained",
        "new visitors are shared, old ones stay: a server that returns gets load slowly",
    ),
}


def machine_of(lab: Lab) -> Machine:
    """A connection to the node with HAProxy; raises LabNotUp if it does not run."""
    name = lab.having("balancer")[0].name
    found = lifecycle.running(lab, "balancer")
    if not found:
        raise LabNotUp(f"the balancer can't be asked: {name} does not run", hint="invoke lab.up")
    return found[0]


def change(lab: Lab, roles: Roles, machine: Machine, named: str = "", **wanted: Any) -> BalancerNow:
    """Keep the choices, write them into HAProxy's file, reload it, and wait until it does what was chosen.

    The weight of the server `named` is set in any case: somebody may have changed it by hand.
    Raises BadInput if HAProxy does not support them together, TimedOut if they are not in force within 15 seconds.
    """
    before = choices.load()
    choices.save(**{**_of_known_servers(lab, before), **wanted})
    chosen = choices.load()
    weights = {node.name: chosen.weight(node.name) for node in lab.having("web")}
    changed = {name: it for name, it in weights.items() if name == named or it != before.weight(name)}
    if changed:
        haproxy.set_weights(machine, changed)
    began = time.monotonic()
    outcome = converge.everything(_without_newcomers(lab, machine), roles, only=["balancer"])
    # The statistics do not show the draws.
    reloads = bool(outcome.changed) and chosen.draws != before.draws
    return in_force(machine, chosen, began if reloads else 0.0)


def _without_newcomers(lab: Lab, machine: Machine) -> Lab:
    """The lab with the web servers that HAProxy has: one that is new in lab.yml enters with lab.up."""
    served: list[str] = []
    with suppress(LabError):  # it does not run: its next start reads the file
        served = [it.name for it in haproxy.ask(machine).servers]
    known = [node for node in lab.nodes if "web" not in node.roles or node.name in served]
    return replace(lab, nodes=tuple(known)) if served else lab


def _of_known_servers(lab: Lab, chosen: Choices) -> dict[str, Any]:
    """The choices without those of servers that lab.yml has no more."""
    names = [node.name for node in lab.having("web")]
    weights = {name: it for name, it in chosen.weights.items() if name in names}
    return {"weights": weights, "drained": [name for name in chosen.drained if name in names]}


def in_force(machine: Machine, chosen: Choices, since: float = 0.0) -> BalancerNow:
    """Wait until HAProxy does what was chosen, by a process that began after `since` of the monotonic clock.

    Raises TimedOut if it does not within 15 seconds.
    """
    found: list[BalancerNow] = []

    def chosen_now() -> bool:
        found[:] = [haproxy.ask(machine)]
        return found[0].since_s <= time.monotonic() - since and not differing(chosen, found[0])

    name = machine.node.name
    hint = f"the choice is kept; see what HAProxy does: invoke lb.status, invoke lab.logs --node {name}"
    differs = partial(_differs, chosen, found)
    until("the choice is in force", chosen_now, IN_FORCE_S, every=POLL_S, where=name, evidence=differs, hint=hint)
    return found[0]


def differing(chosen: Choices, found: BalancerNow) -> list[str]:
    """What HAProxy does otherwise than it was chosen."""
    several = len(found.servers) > 1  # one server has no backup
    pairs = [
        ("algorithm", chosen.algorithm, found.algorithm),
        ("mode", chosen.mode if several else found.mode, found.mode),
        ("persistence", chosen.persistence, found.persistence),
        *((f"weight of {it.name}", chosen.weight(it.name), it.weight) for it in found.servers),
    ]
    return [f"{name} is {it}, chosen is {wanted}" for name, wanted, it in pairs if it != wanted]


def _differs(chosen: Choices, found: Sequence[BalancerNow]) -> str:
    return "\n".join(line for it in found for line in differing(chosen, it))


def must_serve(machine: Machine, name: str) -> None:
    """Raise CheckFailed if no other server takes requests while this one is drained."""
    found, chosen = haproxy.ask(machine), choices.load()
    others = [it for it in found.servers if it.name != name]
    if not serving(others, chosen):
        what = f"{name} is the last server that takes requests, so it can't be drained: {states(others, chosen)}"
        raise CheckFailed(what, hint="bring another server back, or add --force: then every visitor gets 503")


def serving(servers: Sequence[ServerNow], chosen: Choices) -> list[str]:
    """Those of the servers that take requests, now and after a change."""
    return [it.name for it in servers if it.alive and it.status != "DRAIN" and chosen.weight(it.name)]


def states(servers: Sequence[ServerNow], chosen: Choices) -> str:
    """The state of each of the servers, in words."""
    return ", ".join(f"{it.name} is {_state(it, chosen)}" for it in servers) or "there is no other server"


def must_have_a_backup(lab: Lab) -> None:
    """Raise BadInput if there is only one web server."""
    if len(lab.having("web")) == 1:
        raise BadInput("active-passive needs two web servers, lab.yml has one", hint="invoke lb.mode active-active")


def server(lab: Lab, name: str) -> str:
    """The name, if it is of a web server; raises BadInput with the one that was probably meant."""
    names = [node.name for node in lab.having("web")]
    if name not in names:
        raise BadInput(f"{name!r} is not a web server; {did_you_mean(name, names)}", hint="invoke lb.status")
    return name


def table(found: BalancerNow, chosen: Choices) -> list[str]:
    """What HAProxy does, a line a server; what differs from the choices, and what comes next."""
    draws = f" ({chosen.draws} drawn)" if found.algorithm == "random" else ""
    how = f"{found.algorithm}{draws}, {found.mode}, persistence {found.persistence}"
    lines = [f"balancer  {how}", f"reloaded  {found.since_s} s ago; since then:"]
    lines.append("  server    status   weight  requests  open")
    lines += [_row(it, chosen) for it in found.servers]
    differs = differing(chosen, found)
    return [*lines, *(f"wrong     {it}" for it in differs), *([f"next      {_cure(chosen, found)}"] if differs else [])]


def _cure(chosen: Choices, found: BalancerNow) -> str:
    """The command that brings the choices into force; a converge does not see a weight that was set by hand."""
    other = [it.name for it in found.servers if it.weight != chosen.weight(it.name)]
    return restores_weight(chosen, other[0]) if other else "invoke lab.provision"


def restores_weight(chosen: Choices, name: str) -> str:
    """The command that gives a server the weight that was chosen."""
    return f"invoke lb.{'ready' if chosen.weight(name) else 'drain'} {name}"


def data(found: BalancerNow, chosen: Choices) -> dict[str, Any]:
    """The same for scripts."""
    servers = [
        {
            **{"name": it.name, "status": it.status, "weight": it.weight, "backup": it.backup},
            **{"drained": it.name in chosen.drained, "requests": it.requests, "open": it.open},
        }
        for it in found.servers
    ]
    return {
        **{"algorithm": found.algorithm, "draws": chosen.draws, "mode": found.mode, "persistence": found.persistence},
        **{"reloaded_s": found.since_s, "servers": servers, "errors": differing(chosen, found)},
    }


def _row(it: ServerNow, chosen: Choices) -> str:
    return f"  {it.name:<9} {it.status:<8} {it.weight:>6}  {it.requests:>8}  {it.open:>4}{''.join(_notes(it, chosen))}"


def _notes(it: ServerNow, chosen: Choices) -> Iterator[str]:
    if it.backup:
        yield "  backup"
    if it.name in chosen.drained:
        yield f"  drained; back: lb.ready {it.name}"


def _state(it: ServerNow, chosen: Choices) -> str:
    return "drained" if it.name in chosen.drained else it.status
