"""Kills one component after the other, measures what visitors lost, and saves each result in a file."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from lab import progress
from lab.analysis import matrix_results, run_folder, spof
from lab.analysis.judgement import Judgement
from lab.desired.target import Roles
from lab.errors import LabNotUp
from lab.experiment import lookups, own_choices, runner, teardown
from lab.operations import converge
from lab.plan.experiment_file import Plan
from lab.plan.spof import COMMAND, Component, plan
from lab.state import choices
from lab.topology import Lab

NOT_MEASURED = ("provider", "box", "without")  # choices that do not change what fails
FIRST_GUESS_S = {True: 90.0, False: 65.0}  # a machine has to boot; until there are results
PROVISION = "invoke lab.provision"
RESET = f"back to a healthy lab: invoke lab.reset; then go on: {COMMAND}"
Result = Mapping[str, Any]


@dataclass(frozen=True)
class Setup:
    """Lab, roles, hosting machine, file of the results, predictions by component, and what draws a run's report.

    `begin` writes down that a component is killed now, and returns what takes that back if it was not.
    """

    lab: Lab
    roles: Roles
    host: Mapping[str, object]
    path: Path
    predicted: Mapping[str, Sequence[str]]
    draw: Callable[[Path, Judgement], object]
    begin: Callable[[str], Callable[[], object]]


def fingerprint() -> str:
    """A hash of the code and the user's choices: results of others are not continued."""
    own = {name: value for name, value in choices.load().differing().items() if name not in NOT_MEASURED}
    return hashlib.sha256(f"{matrix_results.fingerprint('spof')} {own}".encode()).hexdigest()[:16]


def measured(path: Path, code: str) -> dict[str, Result]:
    """The latest result of each component for this code and these choices."""
    return {it["name"]: it for it in matrix_results.load(path) if it["fingerprint"] == code}


def play(todo: Sequence[Component], setup: Setup) -> Iterator[Result]:
    """Measure the components; each result is saved before it is yielded, so an interrupted command can go on.

    Raises LabNotUp if the lab is not healthy, InfrastructureBroken if a component could not be measured.
    """
    code = fingerprint()
    for number, component in enumerate(todo):
        minutes = sum(FIRST_GUESS_S[not it.service] for it in todo[number:]) / 60
        place = f"{number + 1} of {len(todo)}"
        progress.say("spof", f"{place}: kills {component.name}; about {minutes:.0f} minutes to the end")
        result = _measure(component, setup, code)
        matrix_results.append(result, setup.path)
        yield result


def _measure(component: Component, setup: Setup, code: str) -> dict[str, Any]:
    lab, began = setup.lab, time.monotonic()
    wanted = plan(component, lab, choices.load())
    take_back = setup.begin(component.name)
    try:
        with (
            own_choices.in_force(lab, setup.roles, wanted),
            lookups.watching(lab) as names,
            runner.run(lab, wanted, setup.roles) as folder,
        ):
            judgement = Judgement.of(run_folder.read(folder))
            setup.draw(folder, judgement)
        found = spof.measure(judgement.history, names)
    except LabNotUp as error:
        take_back()
        error.hint = f"{error.hint}; or {RESET}"
        raise
    except BaseException:  # the fault is healed, but a primary that was dead came back read-only
        teardown.tried("the roles may not be restored", partial(converge.everything, lab, setup.roles), PROVISION)
        raise
    about = {"name": component.name, "verdict": spof.verdict(found), "fingerprint": code}
    known = {"predicted": setup.predicted.get(component.name), "run": folder.name}
    took = {"took_s": round(time.monotonic() - began)}
    return {**about, **known, **_how(wanted, setup), **found, **took}


def _how(wanted: Plan, setup: Setup) -> dict[str, Any]:
    """When, by which code, where and with which choices it was measured."""
    when = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "commit": matrix_results.commit()}
    chosen = {name: getattr(wanted, name) for name in ("durability", "algorithm", "mode")}
    return {**when, "host": dict(setup.host), **chosen}
