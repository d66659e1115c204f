"""What must be right between the settings of an experiment: the order of its steps, and what it expects."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from sys import float_info
from typing import Any, TypeGuard

from lab.analysis.checks import attribution, commands
from lab.analysis.checks.catalogue import BOUNDS, CHECKS, REPORTED
from lab.analysis.history import FaultSpan, History
from lab.analysis.timeline import Entry
from lab.errors import did_you_mean
from lab.faults import kinds, protections
from lab.faults.conflicts import conflicts
from lab.faults.kinds import Fault, Key, key_of
from lab.mistakes import Mistake, Place, shown
from lab.plan import allowed_commands
from lab.topology import Lab

MEASURE_S = 60.0  # where the file does not say it
NUMBER, YES_NO = "a number", "true or false"
YES_OR_NO_CHECKS = {"gtid-equal"}
RATIO_CHECKS = {"arrival-rate", "goodput", "crowd-writes"}
SIGNED_CHECKS = {"requests-seen"}  # all others count, or measure time
# What has no value where nothing is read, nothing is written, or no fault takes a server from the balancer.
OF_READS = ("failed-gets", "failed-gets-in-window", "longest-outage", "stale-reads")
OF_WRITES = (
    "write-outage",
    "acknowledged-writes",
    "lost-writes",
    "lost-while-semi-sync-on",
    "duplicated-writes",
    "unexpected-writes",
    "unknown-writes",
    "stale-reads",
    "crowd-writes",
)
OF_CROWDS = ("goodput", "answer-time", "crowd-recovery", "crowd-writes")
OF_SERVERS_OUT = ("detected", "recovered", "failed-gets-in-window")
ANY = "any"  # an experiment takes the databases as they are
ACTIONS = ("inject", "heal", "command")
DURING = "during_command"
NEVER_CONVERGES = "db."
LIST_OF_CHECKS = "invoke experiment.checks"
WITHOUT = "without"


def between(lab: Lab, data: Mapping[str, Any]) -> Iterator[Mistake]:
    """Mistakes between settings, looked for even where single settings are wrong too."""
    yield from _rates(data.get("load"), data.get("measure_s", MEASURE_S))
    yield from _Story(lab, data.get("measure_s", MEASURE_S)).mistakes(_mappings(data.get("steps")))
    yield from _expectations(_mappings(data.get("expect")), _absent(lab, data))
    for name in allowed_commands.left_drained(str(it.get("command", "")) for _, it in _mappings(data.get("steps"))):
        yield ("steps",), f"{name} is still drained at the end: add a step with lb.ready {name}"
    yield from _without(data.get(WITHOUT), _mappings(data.get("steps")))
    databases = [ANY, *(node.name for node in lab.having("database"))]
    if isinstance(data.get("primary"), str) and data["primary"] not in ("", *databases):
        yield ("primary",), f"must be a node with a database; {did_you_mean(data['primary'], databases)}"


def _rates(load: object, measure_s: Any) -> Iterator[Mistake]:
    """Whether the later rates of the load stand in the order of time, within what is measured."""
    now = 0.0
    for index, step in _mappings(load.get("rates") if isinstance(load, dict) else None):
        place, at = ("load", "rates", index, "at"), step.get("at")
        if not _is_number(at):
            continue
        if at <= now:
            yield place, f"comes after a rate at {now:g}: they stand in the order of time"
        if _is_number(measure_s) and 0 < measure_s <= at:
            yield place, f"is not within the {measure_s:g} s that are measured"
        now = max(now, at)


def _mappings(listed: object) -> list[tuple[str, Mapping[str, Any]]]:
    items = listed if isinstance(listed, list) else []
    return [(str(index), item) for index, item in enumerate(items) if isinstance(item, dict)]


def _is_number(value: object) -> TypeGuard[int | float]:
    """Whether it is one that can be told and compared with a float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= float_info.max


@dataclass
class _Story:
    """The steps, followed from the first to the last: what is active when each begins."""

    lab: Lab
    measure_s: Any
    now: float = 0.0
    active: dict[Key, Fault | None] = field(default_factory=dict)  # None: its description has mistakes

    def mistakes(self, steps: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[Mistake]:
        commanded = False
        for index, step in steps:
            place = ("steps", index)
            yield from self._time(place, step.get("at"))
            if sum(name in step for name in ACTIONS) != 1:
                yield place, f"needs exactly one of {', '.join(ACTIONS)}"
            if step.get(DURING) and ("command" in step or not commanded):
                yield (*place, DURING), "is for a fault or a heal that stands after a command"
            commanded |= "command" in step
            for name, read in (("inject", self._inject), ("heal", self._heal)):
                if isinstance(step.get(name), dict):
                    yield from read((*place, name), step[name])
            if isinstance(step.get("command"), str):
                wrong = allowed_commands.mistake(self.lab, step["command"])
                yield from [((*place, "command"), wrong)] if wrong else []

    def _time(self, place: Place, at: Any) -> Iterator[Mistake]:
        if not _is_number(at):
            return
        if 0 <= at < self.now:
            yield (*place, "at"), f"comes after a step at {self.now:g}: steps stand in the order of time"
        if _is_number(self.measure_s) and 0 < self.measure_s <= at:
            yield (*place, "at"), f"is not within the {self.measure_s:g} s that are measured"
        self.now = max(self.now, at)

    def _inject(self, place: Place, given: Mapping[str, Any]) -> Iterator[Mistake]:
        found = list(kinds.mistakes(self.lab, given))
        yield from _at(place, found)
        fault = None if found else Fault.parse(self.lab, given)
        reason = conflicts([it for it in self.active.values() if it], fault) if fault else ""
        if reason:
            yield place, reason
        self.active.setdefault(key_of(given), fault)

    def _heal(self, place: Place, given: Mapping[str, Any]) -> Iterator[Mistake]:
        found = list(kinds.mistakes(self.lab, given, complete=False))
        yield from _at(place, found)
        if key_of(given) not in self.active:
            if not found:
                yield place, "is not active here: no step before injects it"
            return
        fault = self.active.pop(key_of(given))
        options = {name: value for name, value in given.items() if name not in ("kind", "node", "service", "peer")}
        if fault and options and options != fault.options:
            yield place, "has other options than what was injected; it may be named without them"


def _at(place: Place, found: Sequence[tuple[str, str]]) -> list[Mistake]:
    return [((*place, key) if key else place, text) for key, text in found]


def _without(names: object, steps: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[Mistake]:
    if not isinstance(names, list) or not names:
        return
    for place, text in protections.mistakes(map(str, names)):
        yield (WITHOUT, str(place)), text
    for index, step in steps:
        if not str(step.get("command", NEVER_CONVERGES)).startswith(NEVER_CONVERGES):
            yield ("steps", index, "command"), f"a command may converge, which puts back what '{WITHOUT}' takes away"


def _expectations(
    expectations: Sequence[tuple[str, Mapping[str, Any]]], absent: Mapping[str, str]
) -> Iterator[Mistake]:
    seen: dict[str, dict[str, Any]] = {}
    for index, it in expectations:
        place, check = ("expect", index), it.get("check")
        if isinstance(check, str) and check not in CHECKS:
            yield (*place, "check"), f"{check!r} is not a check; {did_you_mean(check, CHECKS, LIST_OF_CHECKS)}"
        given = [name for name in BOUNDS if name in it]
        if len(given) != 1:
            yield place, f"needs exactly one of {', '.join(BOUNDS)}"
        for name in given:
            others = seen.setdefault(str(check), {})
            yield from _bound((*place, name), str(check), it[name])
            yield from _beside((*place, name), str(check), it[name], others)
            others[name] = it[name]
        if given and REPORTED not in given and str(check) in absent:
            yield place, f"{check} has nothing to judge: {absent[str(check)]}; only '{REPORTED}: true' is possible"


def _beside(place: Place, check: str, bound: object, others: Mapping[str, Any]) -> Iterator[Mistake]:
    """Whether a bound goes with those that stand before it."""
    name = place[-1]
    if name in others:
        yield place, f"{check} has this bound already"
    both: dict[str, Any] = {**others, name: bound}
    least, most = both.get("at_least"), both.get("at_most")
    if name in ("at_least", "at_most") and _is_number(least) and _is_number(most) and least > most:
        yield place, f"{check} can't be at least {least:g} and at most {most:g}"


def _value(check: str) -> str:
    """What a check's value is; '' for one that there is not."""
    if check not in CHECKS:
        return ""
    return YES_NO if check in YES_OR_NO_CHECKS else NUMBER


def _bound(place: Place, check: str, bound: Any) -> Iterator[Mistake]:
    name, value_is = place[-1], _value(check)
    if name == REPORTED:
        if bound is not True:
            yield place, f"must be true (it is {shown(bound)})"
    elif value_is == YES_NO and name != "equals":
        yield place, f"has no sense where the value is {YES_NO}: use equals"
    elif value_is == YES_NO and not isinstance(bound, bool):
        yield place, f"must be {YES_NO} (it is {shown(bound)})"
    elif value_is == NUMBER and not _is_number(bound):
        yield place, f"must be {NUMBER} (it is {shown(bound)})"
    elif value_is == NUMBER:
        yield from _range(place, check, bound)


def _range(place: Place, check: str, bound: float) -> Iterator[Mistake]:
    """Whether a bound can be kept and can be broken."""
    if check in RATIO_CHECKS and not 0 <= bound <= 1:
        yield place, f"is a ratio: 0.98, not 98 (it is {shown(bound)})"
    elif check not in SIGNED_CHECKS and place[-1] == "at_least" and bound <= 0:
        yield place, f"is always true: {check} is never below 0 (it is {shown(bound)})"
    elif check not in SIGNED_CHECKS and bound < 0:
        yield place, f"is never true: {check} is never below 0 (it is {shown(bound)})"


def _absent(lab: Lab, data: Mapping[str, Any]) -> dict[str, str]:
    """The checks that this experiment gives nothing to look at, each with what is missing."""
    load, steps = data.get("load"), data.get("steps", [])
    share = load.get("write_share") if isinstance(load, dict) else None
    absent: dict[str, str] = {}
    if _is_number(share) and share in (0, 1):
        checks, what = (OF_READS, "read") if share else (OF_WRITES, "written")
        absent |= dict.fromkeys(checks, f"nothing is {what} where write_share is {share:g}")
    if not isinstance(load, dict) or not load.get("rates"):
        absent |= dict.fromkeys(OF_CROWDS, "the load has one rate")
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        return absent
    if not any(_takes_out(lab, step["inject"]) for step in steps if "inject" in step):
        absent |= dict.fromkeys(OF_SERVERS_OUT, "no step injects a fault that takes a web server from the balancer")
    if not any("command" in step for step in steps):
        absent[commands.FAILED] = "no step is a command"
    return absent


def _takes_out(lab: Lab, given: object) -> bool:
    """Whether HAProxy has to notice a fault; one with mistakes may be meant so."""
    if not isinstance(given, dict) or list(kinds.mistakes(lab, given)):
        return True
    run = Entry(0.0, "lab", "run", {"nodes": {node.name: node.roles for node in lab.nodes}})
    kind, node, _, peer = key_of(given)
    return bool(attribution.taken(History([run]), FaultSpan("", kind, node, peer, "", 0.0)))
