"""What must be right between the settings of an experiment: the order of its steps, and what it expects."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from lab import catalogue, plan_commands, protections
from lab.catalogue import Fault, Key, key_of
from lab.checks.judge import BOUNDS, CHECKS
from lab.conflicts import conflicts
from lab.errors import did_you_mean
from lab.protections import WITHOUT
from lab.topology import Lab
from lab.yaml_lines import Mistake, Place

MEASURE_S = 60.0  # where the file does not say it
NUMBER, YES_NO = "a number", "true or false"
YES_OR_NO_CHECKS = {"gtid-equal"}
ACTIONS = ("inject", "heal", "command")
NEVER_CONVERGES = "db."


def between(lab: Lab, data: Mapping[str, Any]) -> Iterator[Mistake]:
    """Mistakes between settings, looked for even where single settings are wrong too."""
    yield from _Story(lab, data.get("measure_s", MEASURE_S)).told(_mappings(data.get("steps")))
    yield from _expectations(_mappings(data.get("expect")))
    yield from _without(data.get(WITHOUT), _mappings(data.get("steps")))


def _mappings(listed: object) -> list[tuple[str, Mapping[str, Any]]]:
    items = listed if isinstance(listed, list) else []
    return [(str(index), item) for index, item in enumerate(items) if isinstance(item, dict)]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


@dataclass
class _Story:
    """The steps, followed from the first to the last: what is active when each begins."""

    lab: Lab
    measure_s: Any
    now: float = 0.0
    active: dict[Key, Fault | None] = field(default_factory=dict)  # None: its description has mistakes

    def told(self, steps: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[Mistake]:
        for index, step in steps:
            place = ("steps", index)
            yield from self._time(place, step.get("at"))
            if sum(name in step for name in ACTIONS) != 1:
                yield place, f"needs exactly one of {', '.join(ACTIONS)}"
            for name, read in (("inject", self._inject), ("heal", self._heal)):
                if isinstance(step.get(name), dict):
                    yield from read((*place, name), step[name])
            if isinstance(step.get("command"), str):
                wrong = plan_commands.mistake(self.lab, step["command"])
                yield from [((*place, "command"), wrong)] if wrong else []

    def _time(self, place: Place, at: Any) -> Iterator[Mistake]:
        if not _is_number(at):
            return
        if 0 <= at < self.now:
            yield (*place, "at"), f"comes after a step at {self.now:g}: steps stand in the order of time"
        if _is_number(self.measure_s) and at >= self.measure_s:
            yield (*place, "at"), f"is not within the {self.measure_s:g} s that are measured"
        self.now = max(self.now, at)

    def _inject(self, place: Place, given: Mapping[str, Any]) -> Iterator[Mistake]:
        found = list(catalogue.mistakes(self.lab, given))
        yield from _at(place, found)
        fault = None if found else Fault.parse(self.lab, given)
        reason = conflicts([it for it in self.active.values() if it], fault) if fault else ""
        if reason:
            yield place, reason
        self.active.setdefault(key_of(given), fault)

    def _heal(self, place: Place, given: Mapping[str, Any]) -> Iterator[Mistake]:
        found = list(catalogue.mistakes(self.lab, given, complete=False))
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


def _expectations(expectations: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[Mistake]:
    seen: set[tuple[str, str]] = set()
    for index, it in expectations:
        place, check = ("expect", index), it.get("check")
        if isinstance(check, str) and check not in CHECKS:
            yield (*place, "check"), f"{check!r} is not a check; {did_you_mean(check, CHECKS)}"
        given = [name for name in BOUNDS if name in it]
        if len(given) != 1:
            yield place, f"needs exactly one of {', '.join(BOUNDS)}"
        for name in given:
            yield from _bound((*place, name), _value(check), it[name])
            if (str(check), name) in seen:
                yield (*place, name), f"{check} has this bound already"
            seen.add((str(check), name))


def _value(check: object) -> str:
    """What a check's value is; '' for one that there is not."""
    if check not in CHECKS:
        return ""
    return YES_NO if check in YES_OR_NO_CHECKS else NUMBER


def _bound(place: Place, value_is: str, bound: object) -> Iterator[Mistake]:
    name = place[-1]
    if name == "reported":
        if bound is not True:
            yield place, f"must be true (it is {bound!r})"
    elif value_is == YES_NO and name != "equals":
        yield place, f"has no sense where the value is {YES_NO}: use equals"
    elif value_is == YES_NO and not isinstance(bound, bool):
        yield place, f"must be {YES_NO} (it is {bound!r})"
    elif value_is == NUMBER and not _is_number(bound):
        yield place, f"must be {NUMBER} (it is {bound!r})"
