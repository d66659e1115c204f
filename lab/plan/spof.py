"""The components that experiment.spof kills one after the other: each machine, and each service on it."""

from collections.abc import Sequence
from dataclasses import dataclass

from lab.errors import BadInput, did_you_mean
from lab.plan.experiment_file import Plan, parse
from lab.release import SERVICES
from lab.state.choices import Choices
from lab.topology import Lab

COMMAND = "invoke experiment.spof"
BEFORE_S = 2.0  # healthy, so that HAProxy was asked about its servers before
DEAD_S = 30.0  # the kill takes up to 10 s of it; HAProxy notices within 6.75 s; then the last ten seconds count
# A quarter of the requests write: otherwise too few writes are due while a component is dead. With eight requests a
# second an emulated lab took twenty seconds to kill PHP.
TEXT = """title: {title}
question: "What fails while it is dead, and for how long?"

durability: {durability}
algorithm: {algorithm}
mode: {mode}
primary: any
load: {{rate: 5, write_share: 0.25}}
warm_up_s: 5
measure_s: {measure_s:g}
steps:
  - {{at: {before_s:g}, inject: {{{fault}}}}}
  - {{at: {healed_s:g}, heal: {{{fault}}}}}

expect:
  - {{check: failed-gets, reported: true}}
  - {{check: longest-outage, reported: true}}
  - {{check: write-outage, reported: true}}
  - {{check: lost-writes, reported: true}}
"""


@dataclass(frozen=True)
class Component:
    """A machine, or one service on it; `service` is '' for the machine, `roles` are those that stop with it."""

    node: str
    service: str
    roles: tuple[str, ...]

    @property
    def name(self) -> str:
        """web1, or web1-nginx."""
        return f"{self.node}-{self.service}" if self.service else self.node


def components(lab: Lab) -> list[Component]:
    """Every machine of lab.yml, each followed by the services of its roles."""
    found = []
    for node in lab.nodes:
        found.append(Component(node.name, "", node.roles))
        own = (it for it in SERVICES.values() if it.role in node.roles)
        found += [Component(node.name, it.name, (it.role,)) for it in own]
    return found


def chosen(lab: Lab, only: str) -> list[Component]:
    """All components, or those in `only`: machines, services of every machine, or both as web1-nginx.

    Raises BadInput that lists every unknown name.
    """
    known = components(lab)
    words = [word.strip() for word in only.split(",") if word.strip()]
    names = {word for it in known for word in (it.name, it.service) if word}
    unknown = [
        f"{it!r} is not a machine or service; {did_you_mean(it, sorted(names))}" for it in words if it not in names
    ]
    if unknown:
        raise BadInput.listing("there is no such component", unknown, hint=COMMAND)
    return [it for it in known if not words or {it.name, it.service} & set(words)]


def plan(component: Component, lab: Lab, own: Choices) -> Plan:
    """The experiment that kills this component once, in the lab as the user has chosen it."""
    kind = f"service-kill, service: {component.service}" if component.service else "power-off"
    text = TEXT.format(
        title=_title(component),
        durability=own.durability.value,
        algorithm=own.algorithm,
        mode=own.mode,
        measure_s=BEFORE_S + DEAD_S + 1,
        before_s=BEFORE_S,
        healed_s=BEFORE_S + DEAD_S,
        fault=f"kind: {kind}, node: {component.node}",
    )
    return parse(f"spof-{component.name}", text, lab)


def _title(component: Component) -> str:
    return f"{component.service} dies on {component.node}" if component.service else f"{component.node} loses its power"


def unmeasured(wanted: Sequence[Component], measured: Sequence[str]) -> list[Component]:
    """The components that have no result yet."""
    return [it for it in wanted if it.name not in measured]
