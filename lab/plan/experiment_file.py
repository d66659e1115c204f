"""experiments/**/*.yml, each checked whole, as frozen data: load, faults in time, and what is expected."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from lab import topology, yaml_file
from lab.analysis.checks.catalogue import BOUNDS
from lab.analysis.checks.commands import FAILED
from lab.durability import Durability
from lab.errors import BadInput, did_you_mean
from lab.faults.kinds import Fault, Key, key_of
from lab.mistakes import Mistake, invalid
from lab.plan.settings import ExpectationFile, PlanFile, StepFile
from lab.plan.validation import ANY, between
from lab.topology import ROOT, Lab
from lab.yaml_file import Document

EXPERIMENTS = ROOT / "experiments"
LIST, SHIPPED_FOR = "invoke experiment.list", ROOT / "docs" / "topologies" / "three.yml"
EXAMPLE = "copy experiments/controls/control.yml, which explains each setting"
Action = Literal["inject", "heal", "command"]


@dataclass(frozen=True)
class RateStep:
    """From `at` seconds after measuring began on, that many requests a second."""

    at: float
    rate: float


@dataclass(frozen=True)
class Load:
    """Requests a second, the part of them that write, the processes that send them, and other rates later."""

    rate: float
    write_share: float
    processes: int
    rates: tuple[RateStep, ...] = ()


@dataclass(frozen=True)
class Step:
    """What happens `at` so many seconds after measuring began: to a fault, or a command's words."""

    at: float
    action: Action
    fault: Fault | None = None
    command: str = ""
    during_command: bool = False  # it does not wait until the commands before it have ended


@dataclass(frozen=True)
class Expectation:
    """A check and its bound; what is only reported has none."""

    check: str
    bound: str
    value: float | bool

    def as_data(self) -> dict[str, Any]:
        """As it stands in the file."""
        return {"check": self.check, self.bound: self.value}


@dataclass(frozen=True)
class Plan:
    """One experiment; `algorithm` and `mode` are None where it takes the balancer as it is.

    `primary`: who is so while it runs; '' where it takes the databases as they are.

    `without` are the protections that it runs without: a negative control, which must find trouble. `text`: its file.
    """

    name: str
    title: str
    question: str
    stage: str
    durability: Durability
    algorithm: str | None
    mode: str | None
    primary: str
    load: Load
    warm_up_s: float
    measure_s: float
    settle_s: float
    staleness_s: float
    seed: int
    steps: tuple[Step, ...]
    expect: tuple[Expectation, ...]
    without: tuple[str, ...] = ()
    text: str = field(default="", compare=False, repr=False)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is injected, in order of time."""
        return tuple(step.fault for step in self.steps if step.action == "inject" and step.fault)

    @property
    def is_story(self) -> bool:
        """Whether it is told in its order: its load changes, it has a command, or a fault comes after one is healed."""
        actions = [step.action for step in self.steps]
        again = "heal" in actions and "inject" in actions[actions.index("heal") :]
        return bool(self.load.rates) or "command" in actions or again

    @property
    def unhealed(self) -> tuple[Fault, ...]:
        """What is still active after the last step: whoever runs the plan heals it before it settles."""
        active: dict[Key, Fault] = {}
        for step in self.steps:
            if step.fault and step.action == "inject":
                active[step.fault.key] = step.fault
            elif step.fault:
                del active[step.fault.key]
        return tuple(active.values())

    def as_data(self) -> dict[str, Any]:
        """What the timeline says about it at its beginning."""
        names = ("name", "title", "question", "stage", "durability", "algorithm", "mode", "primary", "seed")
        own = {name: getattr(self, name) for name in (*names, "staleness_s")}
        lists = {"without": list(self.without), "expect": [it.as_data() for it in self.expect]}
        return {**own, "load": asdict(self.load), **lists}


def load(path: Path, lab: Lab) -> Plan:
    """Read and check an experiment; raises BadInput that lists every mistake with its line and place."""
    return parse(path.stem, yaml_file.text(path), lab)


def parse(name: str, text: str, lab: Lab) -> Plan:
    """Check the text of the experiment `name`, as `load` does."""
    document = Document.read(f"{name}.yml", text)
    if not isinstance(document.data, dict):
        raise document.without_settings("title:", EXAMPLE)
    plan, found = checked(name, document.data, lab)
    mistakes = [*document.duplicates(), *document.octals(), *found]
    if mistakes or plan is None:
        raise document.refusal(mistakes)
    return replace(plan, text=text)


def checked(name: str, data: Mapping[str, Any], lab: Lab) -> tuple[Plan | None, list[Mistake]]:
    """The plan that a file with this data has, None if there are mistakes; and the mistakes."""
    mistakes: list[Mistake] = []
    parsed: PlanFile | None = None
    try:
        parsed = PlanFile.model_validate(data)
    except ValidationError as error:
        mistakes += invalid(error, "an experiment", PlanFile)
    mistakes += between(lab, data)
    return None if mistakes or parsed is None else _freeze(name, parsed, lab), mistakes


def named(lab: Lab, folder: Path = EXPERIMENTS) -> list[Plan]:
    """All experiments, by name; raises BadInput that lists the mistakes of every file."""
    plans, wrong = read(lab, folder)
    if wrong:
        raise wrong
    return plans


def read(lab: Lab, folder: Path = EXPERIMENTS) -> tuple[list[Plan], BadInput | None]:
    """The experiments that are right, by name, and what is wrong with the other files but those for other nodes."""
    plans: list[Plan] = []
    paths = yaml_file.files(folder)
    wrong = [yaml_file.misnamed(path) for path in yaml_file.files(folder, yaml_file.OTHER_ENDINGS)]
    wrong += yaml_file.twice(paths)
    for path in paths:
        try:
            plans.append(load(path, lab))
        except BadInput as error:
            wrong += [] if _is_for_other_nodes(path) else [error]
    return plans, yaml_file.together(wrong)


def for_other_nodes(plans: Sequence[Plan], folder: Path = EXPERIMENTS) -> list[str]:
    """The names of the experiments that are right, but not for the nodes of this lab.yml, whose `plans` are given."""
    others = [it for it in yaml_file.files(folder) if it.stem not in [plan.name for plan in plans]]
    return [it.stem for it in others if _is_for_other_nodes(it)]


def _is_for_other_nodes(path: Path) -> bool:
    """Whether an experiment is right for the three machines that it was written for."""
    with suppress(BadInput):
        return bool(load(path, topology.load(SHIPPED_FOR)))
    return False


def find(name: str, lab: Lab, folder: Path = EXPERIMENTS) -> Plan:
    """The experiment of that name; raises BadInput with the one that was probably meant."""
    files = yaml_file.files(folder)
    for wrong in yaml_file.twice(path for path in files if path.stem == name):
        raise wrong
    paths = {path.stem: path for path in files}
    if name in paths:
        return load(paths[name], lab)
    meant = Path(name).stem  # a shell completes the name of a file
    for path in yaml_file.files(folder, yaml_file.OTHER_ENDINGS):
        if path.stem == meant and meant not in paths:
            raise yaml_file.misnamed(path)
    what = f"there is no experiment {name!r}; {did_you_mean(meant, paths, LIST)}"
    raise BadInput(what, hint=LIST)


def _freeze(name: str, parsed: PlanFile, lab: Lab) -> Plan:
    it = (parsed.load.rate, parsed.load.write_share, parsed.load.processes)
    frozen = {
        "load": Load(*it, tuple(RateStep(change.at, change.rate) for change in parsed.load.rates)),
        "steps": _steps(parsed.steps, lab),
        "expect": _expected(parsed),
        "without": tuple(parsed.without),
        "primary": {"": lab.having("database")[0].name, ANY: ""}.get(parsed.primary, parsed.primary),
    }
    return Plan(name=name, **{**dict(parsed), **frozen})


def _steps(steps: list[StepFile], lab: Lab) -> tuple[Step, ...]:
    """A fault that is healed is the one that was injected, with its options."""
    frozen: list[Step] = []
    injected: dict[Key, Fault] = {}
    for step in steps:
        if step.command:
            frozen.append(Step(step.at, "command", command=step.command))
        elif step.inject:
            fault = Fault.parse(lab, step.inject)
            injected[fault.key] = fault
            frozen.append(Step(step.at, "inject", fault, during_command=step.during_command))
        else:
            fault = injected[key_of(step.heal)]
            frozen.append(Step(step.at, "heal", fault, during_command=step.during_command))
    return tuple(frozen)


def _expected(parsed: PlanFile) -> tuple[Expectation, ...]:
    """What the file says; and that its commands work, unless it says something else of that."""
    expectations = tuple(_expectation(it) for it in parsed.expect)
    silent = any(step.command for step in parsed.steps) and FAILED not in [it.check for it in expectations]
    return (*expectations, Expectation(FAILED, "at_most", 0)) if silent else expectations


def _expectation(parsed: ExpectationFile) -> Expectation:
    bound = next(name for name in BOUNDS if getattr(parsed, name) is not None)
    return Expectation(parsed.check, bound, getattr(parsed, bound))
