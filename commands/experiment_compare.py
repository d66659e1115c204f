"""invoke experiment.compare: an experiment with two settings in turn, and whether they differ by more than noise."""

from pathlib import Path
from typing import Any

from invoke.context import Context

from commands.command import command, say
from fabfile.roles import ROLES
from lab import topology
from lab.analysis import comparison_folder, matrix_results
from lab.analysis.compared import Compared
from lab.analysis.compared_rounds import ROUND_S, SIDES, order
from lab.experiment import comparison_rounds
from lab.experiment.comparison_rounds import Setup
from lab.plan import compared_settings, experiment_file
from lab.plan.compared_settings import Setting
from lab.plan.experiment_file import Plan
from lab.report import comparison, comparison_page
from lab.state import choices
from lab.topology import Lab
from lab.wait import working

PAIRS = 12
GOES_ON = "complete rounds are kept; run the same command again, it goes on where it stopped"
COMPARE = {
    "a": "one setting: PATH=VALUE, also several with commas, or the option twice: algorithm=leastconn,load.rate=20",
    "b": "the other setting. Paths: algorithm, draws, mode, persistence, weights.NODE, durability, without, warm_up_s, "
    "load.rate, load.write_share, load.processes, steps.N.inject.OPTION (N counts from 0)",
    "repeat": "rounds of 20 s a setting",
    "again": "also if there is a complete comparison of these settings and this code",
}


@command(changes=True, interrupted=GOES_ON, positional=["name"], iterable=["a", "b"], help=COMPARE)
def compare(
    c: Context,
    name: str,
    a: list[str] | None = None,
    b: list[str] | None = None,
    repeat: int = PAIRS,
    again: bool = False,
) -> None:
    """Compare two settings in rounds in turn, and say whether they differ by more than noise; about 20 minutes."""
    lab = topology.load()
    plan = experiment_file.find(name, lab)
    pair = compared_settings.settings(lab, plan, {"a": a or [], "b": b or []}, choices.load(), repeat)
    folder = _folder(lab, plan, dict(zip(SIDES, pair, strict=True)), repeat, again)
    done = {(it.pair, it.side) for it in comparison_folder.rounds(folder)}
    todo = [it for it in order(repeat, plan.seed) if it not in done]
    minutes = comparison_rounds.seconds_left(plan, (), len(todo)) / 60
    say(f"{2 * repeat} rounds, {len(done)} of them are complete; about {minutes:.0f} minutes to go")
    try:
        if todo:
            setup = Setup(lab, ROLES, plan, dict(zip(SIDES, pair, strict=True)), folder)
            comparison_rounds.play(setup, todo)
    finally:
        _report(folder)


def _folder(lab: Lab, plan: Plan, settings: dict[str, Setting], pairs: int, again: bool) -> Path:
    """The folder of this comparison: that of an earlier start, or a new one."""
    data = {side: it.as_data() for side, it in settings.items()}
    parts = {"code": matrix_results.fingerprint(plan.name), "pairs": pairs, "seconds": ROUND_S, "settings": data}
    key = comparison_folder.key(parts)
    found = comparison_folder.find(plan.name, key)
    if found and not (again and len(comparison_folder.rounds(found)) == 2 * pairs):
        return found
    return comparison_folder.make(plan.name, {**_about(lab, plan, settings), "key": key, "pairs": pairs, **parts})


def _about(lab: Lab, plan: Plan, settings: dict[str, Setting]) -> dict[str, Any]:
    """What the report says about it."""
    return {
        "name": plan.name,
        "title": plan.title,
        "seed": plan.seed,
        "staleness_s": plan.staleness_s,
        "commit": matrix_results.commit(),
        "servers": [node.name for node in lab.having("web")],
        "faults": [fault.as_data() for fault in plan.faults],
        **{
            side: {"label": it.label, "load": [it.plan.load.rate, it.plan.load.write_share]}
            for side, it in settings.items()
        },
    }


def _report(folder: Path) -> None:
    """Write and say what was measured so far."""
    if not comparison_folder.rounds(folder):
        return
    with working("report", "still compares"):
        found = Compared.read(folder)
        text = f"{comparison.terminal(found)}\n\nreport: {comparison_page.write(folder, found)}"
    say(text)
