"""Kills one component after the other, measures what visitors lost, and saves each result in a file."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab import progress
from lab.analysis import matrix_results, run_folder, spof
from lab.analysis.judgement import Judgement
from lab.desired.target import Roles
from lab.errors import LabNotUp
from lab.experiment import lookups, own_choices, runner
from lab.plan.spof import COMMAND, Component, plan
from lab.state import choices
from lab.topology import Lab

NOT_MEASURED = ("provider", "box", "without")  # choices that do not change what fails
FIRST_GUESS_S = {True: 90.0, False: 65.0}  # a machine has to boot; until there are results
RESET = f"back to a healthy lab: invoke lab.reset; then go on: {COMMAND}"
Result = Mapping[str, Any]


@dataclass(frozen=True)
class Setup:
    """Lab, roles, file of the results, predictions by component, and the function that draws a run's report."""

    lab: Lab
    roles: Roles
    path: Path
    predicted: Mapping[str, Sequence[str]]
    draw: Callable[[Path, Judgement], object]


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
    try:
        with (
            own_choices.in_force(lab, setup.roles, wanted),
            lookups.watching(lab) as names,
            runner.run(lab, wanted, setup.roles) as folder,
        ):
            judgement = Judgement.of(run_folder.read(folder))
            setup.draw(folder, judgement)
    except LabNotUp as error:
        error.hint = f"{error.hint}; or {RESET}"
        raise
    found = {**spof.measure(judgement.history, names), "run": folder.name}
    about = {"name": component.name, "predicted": setup.predicted.get(component.name), "fingerprint": code}
    when = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "commit": matrix_results.commit()}
    chosen = {name: getattr(wanted, name) for name in ("durability", "algorithm", "mode")}
    took = {"took_s": round(time.monotonic() - began)}
    return {**about, "verdict": spof.verdict(found), **when, **chosen, **found, **took}
