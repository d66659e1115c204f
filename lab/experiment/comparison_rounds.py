"""Measures the rounds of a comparison: the setting comes into force, the load runs, and what was broken is healed."""

import random
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lab import clock, progress
from lab.analysis import comparison_folder, run_folder
from lab.analysis.compared_rounds import ROUND_S, Round, folder_of
from lab.desired.target import Roles
from lab.errors import InfrastructureBroken
from lab.experiment import load, own_choices, subcommand, teardown
from lab.experiment.load import Running
from lab.experiment.role_recovery import Turn
from lab.experiment.runner import MOMENTS_S
from lab.experiment.schedule import LONGEST_S, TICK_S
from lab.faults import ledger
from lab.injection import inject_and_heal
from lab.nodes import lifecycle
from lab.nodes.ssh import Machine
from lab.operations import balancing, converge, restore
from lab.plan.compared_settings import Setting
from lab.plan.experiment_file import Plan
from lab.state import choices
from lab.topology import Lab
from lab.wait import pause, until, working

AROUND_S, HEALING_S = 18.0, 15.0  # a first guess of what a round takes beside its load, until some were measured


@dataclass(frozen=True)
class Setup:
    """The lab, its roles, the experiment, the setting of each side, and the folder of the comparison."""

    lab: Lab
    roles: Roles
    plan: Plan
    settings: Mapping[str, Setting]
    folder: Path


def play(it: Setup, todo: Sequence[tuple[int, str]]) -> None:
    """Measure these rounds, and save each; however this ends, faults are healed and the user's choices restored.

    Raises LabNotUp if the lab is not healthy before, InfrastructureBroken if a round can't be measured.
    """
    restore.must_be_healthy(it.lab)
    machines = lifecycle.machines(it.lab)
    with own_choices.in_force(it.lab, it.roles, it.plan, chooses=True), _roles(it, machines):
        before = comparison_folder.rounds(it.folder)
        for number, (pair, side) in enumerate(todo):
            done = comparison_folder.rounds(it.folder)
            left_s = seconds_left(it.plan, done[len(before) :], len(todo) - number)
            label = f"{side} ({it.settings[side].label})"
            place = f"round {len(done) + 1} of {len(before) + len(todo)}: {label}"
            progress.say("compare", f"{place}; about {max(1, round(left_s / 60))} minutes to the end")
            comparison_folder.append(it.folder, _measured(it, machines, pair, side))


def seconds_left(plan: Plan, done: Sequence[Round], rounds: int) -> float:
    """The expected duration of so many rounds, from those of this start that were measured; otherwise a guess."""
    guess = plan.warm_up_s + ROUND_S + AROUND_S + (HEALING_S if plan.faults else 0)
    return rounds * (sum(it.took_s for it in done) / len(done) if done else guess)


@contextmanager
def _roles(it: Setup, machines: Sequence[Machine]) -> Iterator[None]:
    """In the block the primary is that of the experiment; afterwards no fault is left, and the primary as before."""
    turn = Turn(machines, it.plan.primary, partial(subcommand.run, give_up=lambda: False))
    try:
        turn.take()
        yield
    finally:
        teardown.tried("faults are left", partial(inject_and_heal.heal_all, it.lab), "invoke fault.heal")
        if turn.before and turn.turned:
            teardown.tried("the roles are not as they were", partial(_give_back, it, turn), teardown.LOOK)


def _give_back(it: Setup, turn: Turn) -> None:
    """A fault may have left no database open for writes: the converge opens it, and then the roles can change."""
    converge.everything(it.lab, it.roles)
    turn.give_back()


def _measured(it: Setup, machines: Sequence[Machine], pair: int, side: str) -> Round:
    """One round; the two of a pair have the same seed, so they get nearly the same requests at the same times."""
    began, plan = time.monotonic(), it.settings[side].plan
    _apply(it, machines, it.settings[side])
    folder = it.folder / folder_of(pair, side)
    shutil.rmtree(folder, ignore_errors=True)  # of a round that was interrupted
    folder.mkdir(parents=True)
    seed, longest_s = plan.seed + pair, plan.warm_up_s + ROUND_S + LONGEST_S
    with (
        load.running(plan.load, seed, longest_s, folder / run_folder.RECORD) as running,
        working("load", "warms up, and measures"),
    ):
        zero = running.began() + plan.warm_up_s
        _wait(zero, running)
        if plan.faults:
            _wait(zero + random.Random(seed).uniform(0, MOMENTS_S), running)
            _inject(it.lab, plan)
        _wait(zero + ROUND_S, running)
        _must_be_active(it.lab, plan)
        running.end()
    if plan.faults:
        inject_and_heal.heal_all(it.lab)
    return Round(pair, side, zero, ROUND_S, round(time.monotonic() - began, 1))


def _inject(lab: Lab, plan: Plan) -> None:
    for fault in plan.faults:
        inject_and_heal.inject(lab, fault, inject_and_heal.machine_of(lab, fault))


def _must_be_active(lab: Lab, plan: Plan) -> None:
    """Raise InfrastructureBroken if a fault was healed while the round was measured: fault.heal takes no lock."""
    active = {it.key for it in ledger.active(lab)}
    healed = [it.id for it in plan.faults if it.key not in active]
    if healed:
        evidence = f"no longer in the ledger: {', '.join(healed)}"
        hint = "heal nothing meanwhile; the same command goes on"
        raise InfrastructureBroken("a fault was healed while it was measured", evidence=evidence, hint=hint)


def _apply(it: Setup, machines: Sequence[Machine], setting: Setting) -> None:
    """Converge with a setting, and wait until HAProxy does it and the lab is healthy."""
    own_choices.apply(it.lab, it.roles, setting.chosen, setting.plan.without)
    balancing.in_force(balancing.machine_of(it.lab), choices.load())
    trouble: list[str] = []

    def healthy() -> bool:
        trouble[:] = restore.wrong(it.lab, machines)
        return not trouble

    until(
        "the lab is healthy",
        healthy,
        it.plan.settle_s,
        where="lab",
        evidence=lambda: "\n".join(trouble),
        hint="invoke lab.status",
    )


def _wait(moment: float, running: Running) -> None:
    """Wait until a moment (Unix seconds); raises InfrastructureBroken if the load ends before."""
    while clock.now() < moment:
        running.must_go_on()
        pause(TICK_S)
