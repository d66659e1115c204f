"""The rising load of experiment.scale: one run for each number of web servers, the others are drained."""

from collections.abc import Iterator
from dataclasses import dataclass

from lab.errors import BadInput
from lab.plan.experiment_file import Plan, parse
from lab.state.choices import Choices
from lab.topology import Lab

COMMAND = "invoke experiment.scale"
MORE = "more web servers: cp docs/topologies/four.yml lab.yml, see docs/topologies.md"
# Of all pages that the servers can send: half of the steps below that, one at it, two above.
SHARES = (0.4, 0.7, 0.9, 1.0, 1.2, 1.5)
STEP_S, WARM_UP_S = 16.0, 5.0
DRAIN_S, LIMIT_S, READY_S = 12.0, 5.0, 5.0  # for one drain (4 to 10 s emulated), for one limit, and after the last
QUIET = 2.0  # requests a second before and after the steps
PAGES_PER_S, FEWEST, MOST = 6, 2, 100
TEXT = """title: The load rises for {count} of {all} web servers
question: "How many reads a second are answered, how fast, and when is that all they can do?"

durability: {durability}
algorithm: {algorithm}
mode: active-active
load:
  rate: {quiet:g}
  write_share: 0
  rates:
{rates}
warm_up_s: {warm_up_s:g}
measure_s: {measure_s:g}
steps:
{steps}

expect:
  - {{check: failed-gets, reported: true}}
  - {{check: false-downs, reported: true}}
"""


@dataclass(frozen=True)
class Ramp:
    """A rising load for the servers `used`, each of which sends so many pages a second; `drained` are the others."""

    used: tuple[str, ...]
    drained: tuple[str, ...]
    pages_per_s: int

    @property
    def name(self) -> str:
        """scale-2, by the number of its servers."""
        return f"scale-{len(self.used)}"

    @property
    def begins_s(self) -> float:
        """When the first step begins, in seconds since measuring began."""
        return DRAIN_S * len(self.drained) + LIMIT_S * len(self.used) + READY_S

    @property
    def ends_s(self) -> float:
        """When the last step ends."""
        return self.begins_s + STEP_S * len(SHARES)

    @property
    def rates(self) -> list[float]:
        """The requests a second of each step."""
        return [round(share * self.pages_per_s * len(self.used), 1) for share in SHARES]


def ramps(lab: Lab, counts: str, pages_per_s: int) -> list[Ramp]:
    """A ramp for each number in `counts` ("1,2,3"), or for each number of web servers that the lab has.

    Raises BadInput that lists every mistake.
    """
    names = tuple(node.name for node in lab.having("web"))
    words = [it.strip() for it in counts.split(",") if it.strip()] or [str(it + 1) for it in range(len(names))]
    wrong = [_mistake(word, len(names)) for word in words]
    if not FEWEST <= pages_per_s <= MOST:
        wrong.append(f"--pages-per-s {pages_per_s}: from {FEWEST} to {MOST}")
    if any(wrong):
        raise BadInput.listing("the load cannot rise like this", [it for it in wrong if it], hint=MORE)
    return [Ramp(names[:it], names[it:], pages_per_s) for it in sorted({int(word) for word in words})]


def _mistake(word: str, most: int) -> str:
    if word.isdecimal() and 1 <= int(word) <= most:
        return ""
    return f"--servers {word}: this lab has 1 to {most} web servers"


def plan(ramp: Ramp, lab: Lab, own: Choices) -> Plan:
    """The experiment of a ramp, in the lab as the user has chosen it; its commands put the drained servers back."""
    rates = [(ramp.begins_s + STEP_S * number, rate) for number, rate in enumerate(ramp.rates)]
    text = TEXT.format(
        count=len(ramp.used),
        all=len(ramp.used) + len(ramp.drained),
        durability=own.durability.value,
        algorithm=own.algorithm,
        quiet=QUIET,
        rates="\n".join(f"    - {{at: {at:g}, rate: {rate:g}}}" for at, rate in [*rates, (ramp.ends_s, QUIET)]),
        warm_up_s=WARM_UP_S,
        measure_s=ramp.ends_s + 1,
        steps="\n".join(f"  - {{{it}}}" for it in _steps(ramp)),
    )
    return parse(ramp.name, text, lab)


def _steps(ramp: Ramp) -> Iterator[str]:
    """What is done before the load rises, and the return of the drained servers; limits are healed after the steps.

    One server is limited after the other, because each limit reloads PHP.
    """
    for number, name in enumerate(ramp.drained):
        yield f"at: {DRAIN_S * number:g}, command: lb.drain {name}"
    for number, name in enumerate(ramp.used):
        at = DRAIN_S * len(ramp.drained) + LIMIT_S * number
        limit = f"kind: php-limit, node: {name}, pages_per_s: {ramp.pages_per_s}"
        yield f"at: {at:g}, inject: {{{limit}}}"
    for name in ramp.drained:
        yield f"at: {ramp.ends_s:g}, command: lb.ready {name}"
