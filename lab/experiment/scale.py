"""Raises the load for one number of web servers after the other, and saves each result in a file."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab import progress
from lab.analysis import matrix_results, run_folder, scale
from lab.analysis.judgement import Judgement
from lab.desired.target import Roles
from lab.experiment import own_choices, runner, spof
from lab.plan.scale import WARM_UP_S, Ramp, plan
from lab.state import choices
from lab.topology import Lab

AROUND_S = 70.0  # a first guess of what a run takes before and after its load
Result = Mapping[str, Any]


@dataclass(frozen=True)
class Setup:
    """Lab, roles, hosting machine, file of the results, and what draws a run's report."""

    lab: Lab
    roles: Roles
    host: Mapping[str, object]
    path: Path
    draw: Callable[[Path, Judgement], object]


def fingerprint(pages_per_s: int) -> str:
    """A hash of the code, the user's choices and the limit: results of others are not continued."""
    return hashlib.sha256(f"{spof.fingerprint()} scale {pages_per_s}".encode()).hexdigest()[:16]


def play(todo: Sequence[Ramp], setup: Setup) -> Iterator[Result]:
    """Measure the ramps; each result is saved before it is yielded, so an interrupted command can go on.

    Raises LabNotUp if the lab is not healthy, InfrastructureBroken if a ramp could not be measured.
    """
    for number, ramp in enumerate(todo):
        minutes = sum(WARM_UP_S + it.ends_s + AROUND_S for it in todo[number:]) / 60
        place = f"{number + 1} of {len(todo)}"
        progress.say("scale", f"{place}: {', '.join(ramp.used)}; about {minutes:.0f} minutes to the end")
        result = _measure(ramp, setup)
        matrix_results.append(result, setup.path)
        yield result


def _measure(ramp: Ramp, setup: Setup) -> dict[str, Any]:
    lab, began = setup.lab, time.monotonic()
    wanted = plan(ramp, lab, choices.load())
    code = fingerprint(ramp.pages_per_s)
    with own_choices.in_force(lab, setup.roles, wanted), runner.run(lab, wanted, setup.roles) as folder:
        judgement = Judgement.of(run_folder.read(folder))
        setup.draw(folder, judgement)
    found = scale.measure(judgement.history, len(ramp.used))
    about = {"name": ramp.name, "verdict": scale.MEASURED, "fingerprint": code, "servers": list(ramp.used)}
    when = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "commit": matrix_results.commit()}
    where = {"host": dict(setup.host), "pages_per_s": ramp.pages_per_s, "algorithm": wanted.algorithm}
    return {**about, **when, **where, **found, "run": folder.name, "took_s": round(time.monotonic() - began)}
