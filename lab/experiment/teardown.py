"""The teardown of an experiment: each part is tried, whether or not the part before it failed."""

from collections.abc import Callable, Sequence

from lab import progress
from lab.errors import explained
from lab.mysql import advice, last_seen
from lab.mysql.advice import Asked
from lab.nodes.facts import databases_of
from lab.nodes.ssh import Machine
from lab.topology import Node

LOOK = "invoke db.status"


def tried(what: str, do: Callable[[], object], then: str) -> str:
    """Run `do`; log a failure of it with the next steps, `then` as the last one, and return it; '' if it worked."""
    try:
        do()
    except Exception as error:
        it = explained(error)
        progress.say("lab", f"{what}: {it.what}; next: {', then '.join(filter(None, (it.hint, then)))}")
        return f"{what}: {it}"
    return ""


def report_roles(machines: Sequence[Machine], was: str) -> None:
    """Log how the commands of a run that ended early have changed the roles; `was`: the primary before."""
    asked = databases_of([machine for machine in machines if "database" in machine.node.roles])
    nodes = [machine.node for machine in machines if "database" in machine.node.roles]
    for line in roles(nodes, asked, was, last_seen.degraded()):
        progress.say("lab", line)


def roles(nodes: Sequence[Node], asked: Asked, was: str, degraded: str) -> list[str]:
    """The differences between the databases' roles and those before, each with the next command."""
    silent = [name for name, it in asked.items() if it is None]
    if silent:
        return [f"MySQL on {', '.join(silent)} does not answer: the roles may have changed; next: {LOOK}"]
    advised = advice.advise(nodes, asked, degraded, {})
    now = next((it.node for it in asked.values() if it and it.role == "primary"), "")
    if advised or now == was or not was:
        return advised
    return [f"{now} is primary now, {was} was; next: invoke db.promote {was}"]
