"""invoke experiment.matrix, experiment.table: all experiments, and the table of what came of them."""

import os
from collections.abc import Sequence

from invoke.context import Context
from invoke.exceptions import Exit

from commands.command import command, say
from fabfile.roles import ROLES
from lab import topology
from lab.analysis import matrix_results
from lab.errors import LabNotUp
from lab.experiment import matrix
from lab.experiment.matrix import Setup
from lab.nodes import vm_power
from lab.plan import experiment_file
from lab.plan.experiment_file import Plan
from lab.report import page
from lab.report.matrix import table
from lab.state.atomic_file import atomic_write
from lab.topology import Lab

RESULTS = matrix_results.RESULTS
TABLE = RESULTS.with_suffix(".md")
MATRIX = {
    "only": "these experiments, with commas between",
    "rounds": "inject the faults of each so many times",
    "again": "also what has a result of this code",
    "times": "until each has so many results of this code, each with another seed",
}


@command(changes=True, help=MATRIX)
def matrix_(c: Context, only: str = "", rounds: int = 10, again: bool = False, times: int = 1) -> None:
    """Run every experiment, its faults ten times each; goes on where it was stopped, and writes docs/matrix.md."""
    lab = topology.load()
    plans = _readable(lab)
    rows = matrix.rows(plans, only, rounds, times)
    todo = matrix.left(rows, [] if again else matrix_results.load(RESULTS))
    ready = len(rows) - len({it.name for it in todo})
    needed = "a result" if times == 1 else f"{times} results"
    say(f"{len(rows)} rows, {ready} of them have {needed} of this code; {len(todo)} runs to go")
    if todo:
        _must_run(lab)
        try:
            for message in matrix.play(todo, Setup(lab, ROLES, host(), RESULTS, page.write)):
                say(message)
                _write(plans)
        finally:
            _write(plans)
    raise Exit(code=matrix.exit_code(rows, matrix_results.load(RESULTS)))


@command(changes=False)
def table_(c: Context) -> None:
    """Write docs/matrix.md, the table of what came of the experiments, from docs/matrix.jsonl."""
    _write(_readable(topology.load()))
    say(str(TABLE))


def _readable(lab: Lab) -> list[Plan]:
    """The experiments that are right; a draft that is not ends no matrix."""
    plans, wrong = experiment_file.read(lab)
    if wrong:
        say(f"left out: {wrong}")
    if others := experiment_file.for_other_nodes(plans):
        say(f"left out, for they are for other nodes than those of lab.yml: {', '.join(others)}")
    return plans


def _write(plans: Sequence[Plan]) -> None:
    atomic_write(TABLE, table(plans, matrix_results.load(RESULTS)))


def _must_run(lab: Lab) -> None:
    down = [f"{name} is {state}" for name, state in vm_power.states(lab).items() if state != "running"]
    if down:
        raise LabNotUp(f"the lab is not up: {', '.join(down)}", hint="invoke lab.up")


def host() -> dict[str, object]:
    """The hosting machine, as results describe it: its processors, and whether those of the nodes are emulated."""
    driver = vm_power.found().get("driver", "")
    return {"cpus": os.cpu_count(), "accelerator": "emulated" if driver == "qemu" else driver}
