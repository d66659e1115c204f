"""The two settings of a comparison: each PATH=VALUE is checked, all mistakes at once, before anything runs."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from pydantic import ValidationError

from lab.analysis.compared_rounds import SIDES
from lab.analysis.comparison import fewest_pairs, most_measures
from lab.errors import BadInput, did_you_mean
from lab.mistakes import invalid
from lab.plan.experiment_file import Plan, checked
from lab.state.choices import MOST_WEIGHT, Choices, unsupported
from lab.topology import Lab

MOST_PAIRS = 60
NEXT = re.compile(r",(?=[\w.]+=)")  # between two settings; a list such as [retries,redispatch] has commas too
WEIGHT = "weights."
OF_CHOICES = ("draws", "persistence")
OF_FILE = ("algorithm", "mode", "durability", "without", "warm_up_s", "load.rate", "load.write_share", "load.processes")
OPTION = re.compile(r"steps\.(\d+)\.inject\.\w+")
FAULTS = "of a step only the options of its fault can be compared"
MACHINES = "the machines would have to be made or booted again, which no round does"
JUDGED = "a comparison measures and runs no checks"
# What both settings share, each with the reason.
SHARED = {
    **dict.fromkeys(("site", "network", "management", "box", "nodes", "provider"), MACHINES),
    **dict.fromkeys(("title", "question", "expect", "staleness_s"), JUDGED),
    "seed": "the two rounds of a pair get the same seed",
    "measure_s": "every round is measured for the same time",
    "settle_s": "it is a time limit, which changes nothing that is measured",
    "stage": "there is only one",
    "primary": "every round would begin with a promotion",
    "steps": FAULTS,
    "drained": "a run needs all servers; compare weights instead",
    "load": "name one of its settings, such as load.rate",
    "load.rates": "a round has one rate",
}
PARTLY_SHARED = ("load", "steps")


@dataclass(frozen=True)
class Setting:
    """One side of a comparison. `label`: what the user wrote; `choices`: all that are in force in its rounds."""

    label: str
    plan: Plan
    choices: Choices

    @property
    def chosen(self) -> dict[str, Any]:
        """The choices that a comparison makes, also where they are the defaults."""
        names = ("algorithm", "draws", "mode", "persistence", "weights", "durability")
        return {name: getattr(self.choices, name) for name in names}

    def as_data(self) -> dict[str, Any]:
        """All that decides its rounds."""
        steps = [it.fault.as_data() for it in self.plan.steps if it.fault]
        return {
            **self.plan.as_data(),
            **self.choices.model_dump(mode="json"),
            "warm_up_s": self.plan.warm_up_s,
            "faults": steps,
        }


@dataclass
class _Side:
    """One side while it is read: what is wrong, and what it sets in the file and among the choices."""

    name: str
    mistakes: list[str] = field(default_factory=list)
    given: dict[str, Any] = field(default_factory=dict)

    def wrong(self, path: str, text: str) -> None:
        self.mistakes.append(f"--{self.name} {path}: {text}")


def settings(
    lab: Lab, plan: Plan, words: Mapping[str, Sequence[str]], own: Choices, pairs: int
) -> tuple[Setting, Setting]:
    """The settings a and b of an experiment, on top of the user's own choices; raises BadInput with every mistake."""
    mistakes = list(_of_plan(plan))
    sides = [_Side(name) for name in SIDES]
    found = [_setting(lab, plan, side, words.get(side.name, ()), own) for side in sides]
    mistakes += [text for side in sides for text in side.mistakes]
    a, b = found
    if a and b and (a.plan, a.choices) == (b.plan, b.choices):
        mistakes.append(f"--a {a.label} and --b {b.label} are the same setting")
    fewest = fewest_pairs(most_measures(len(lab.having("web"))))
    if not fewest <= pairs <= MOST_PAIRS:
        why = f"with fewer than {fewest} rounds a setting no difference could be more than noise"
        mistakes.append(f"--repeat {pairs}: must be from {fewest} to {MOST_PAIRS}; {why}")
    if mistakes or not (a and b):
        raise BadInput.listing("this can't be compared", mistakes, hint="invoke --help experiment.compare")
    return a, b


def _of_plan(plan: Plan) -> Iterator[str]:
    if plan.is_story:
        yield f"{plan.name} tells a story: a round has no commands and one rate, and injects all faults together"


def _setting(lab: Lab, plan: Plan, side: _Side, words: Sequence[str], own: Choices) -> Setting | None:
    """One side; None if it has mistakes, which are noted there."""
    texts = [text for word in words for text in NEXT.split(word) if text]
    if not texts:
        side.mistakes.append(f"--{side.name}: give a setting, such as --{side.name} algorithm=leastconn")
    data = yaml.safe_load(plan.text)
    known = list(_paths(lab, data))
    for text in texts:
        _read(side, text, known)
    changed = _plan(lab, plan, side, data)
    choices = _choices(lab, side, changed, own) if changed else None
    return Setting(", ".join(texts), changed, choices) if changed and choices and not side.mistakes else None


def _paths(lab: Lab, data: Mapping[str, Any]) -> Iterator[str]:
    """Every path that can be compared."""
    yield from (*OF_FILE, *OF_CHOICES)
    yield from (f"{WEIGHT}{node.name}" for node in lab.having("web"))
    for number, step in enumerate(data.get("steps") or ()):
        options = (name for name in step.get("inject", {}) if name not in ("kind", "node", "service", "peer"))
        yield from (f"steps.{number}.inject.{name}" for name in options)


def _read(side: _Side, text: str, known: Sequence[str]) -> None:
    path, equals, value = text.partition("=")
    path = path.strip()
    if not equals:
        side.wrong(text, "must be PATH=VALUE, such as algorithm=leastconn")
    elif path not in known:
        side.wrong(path, _why_not(path, known))
    elif path in side.given:
        side.wrong(path, "stands here twice")
    else:
        try:
            side.given[path] = yaml.safe_load(value)
        except yaml.YAMLError:
            side.wrong(path, f"{value!r} is no value")


def _why_not(path: str, known: Sequence[str]) -> str:
    """Why a path can't be compared: it is shared, with all below it, or there is none such."""
    group = path.partition(".")[0]
    shared = SHARED.get(path) or SHARED.get("" if group in PARTLY_SHARED else group)
    return f"is the same in both settings: {shared}" if shared else f"can't be compared; {did_you_mean(path, known)}"


def _plan(lab: Lab, plan: Plan, side: _Side, data: dict[str, Any]) -> Plan | None:
    """The experiment with what this side sets in its file."""
    for path, value in side.given.items():
        if path in OF_FILE or OPTION.fullmatch(path):
            _put(data, path.split("."), [value] if path == "without" and isinstance(value, str) else value)
    changed, mistakes = checked(plan.name, data, lab)
    for place, text in mistakes:
        side.wrong(".".join(place), text)
    return changed


def _put(data: Any, path: Sequence[str], value: Any) -> None:
    """Set a value in the data of the file; a group that it does not have is made."""
    for name in path[:-1]:
        data = data[int(name)] if isinstance(data, list) else data.setdefault(name, {})
    data[path[-1]] = value


def _choices(lab: Lab, side: _Side, plan: Plan, own: Choices) -> Choices | None:
    """The choices in the rounds of this side: its own, else the experiment's, else the user's."""
    weights = {path.removeprefix(WEIGHT): it for path, it in side.given.items() if path.startswith(WEIGHT)}
    for name, it in weights.items():
        if it == 0:
            side.wrong(f"{WEIGHT}{name}", f"with 0 it gets no requests; 1 to {MOST_WEIGHT}")
    wanted = {
        **own.differing(),
        **{name: it for name in ("algorithm", "mode") if (it := getattr(plan, name))},
        **{name: side.given[name] for name in OF_CHOICES if name in side.given},
        "weights": {**own.weights, **weights},
        "durability": plan.durability,
        "without": plan.without,
    }
    try:
        chosen = Choices.model_validate(wanted)
    except ValidationError as error:
        for place, text in invalid(error, "the choices", Choices):
            side.wrong(".".join(place), text)
        return None
    if "draws" in side.given and chosen.algorithm != "random":
        side.wrong("draws", f"only the algorithm random draws servers, not {chosen.algorithm}")
    side.mistakes += [f"--{side.name}: {text}" for text in _unsupported(lab, chosen)]
    return chosen


def _unsupported(lab: Lab, chosen: Choices) -> Iterator[str]:
    yield from unsupported(chosen)
    if chosen.mode == "active-passive" and len(lab.having("web")) == 1:
        yield "active-passive needs two web servers, lab.yml has one"
