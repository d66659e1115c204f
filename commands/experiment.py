"""invoke experiment.*: put load on the lab, break it, and say what users saw."""

from dataclasses import replace
from json import dumps
from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit

from commands import experiment_list
from commands.command import command, say
from fabfile.roles import ROLES
from lab import progress, topology
from lab.analysis import run_folder
from lab.analysis.judgement import Judgement
from lab.errors import BadInput
from lab.experiment import own_choices, runner
from lab.plan import experiment_file
from lab.plan.experiment_file import Plan
from lab.report.check_meanings import explained
from lab.report.page import write
from lab.report.terminal import terminal
from lab.wait import working

EXIT_CODES = {"pass": 0, "fail": 1, "error": 3, "inconclusive": 4}
LARGE_MB, MEMORY_PER_MB = 50, 8.2  # of a timeline: 500 MB took 4.1 GB and five minutes


LIST = {"lesson": "those of one lesson", "all": "all of them", "json": "as data, for scripts"}


@command(changes=False, help=LIST)
def list_(c: Context, lesson: str = "", all: bool = False, json: bool = False) -> None:
    """List the experiments to begin with and the lessons; all of a lesson with --lesson, or --all."""
    plans, wrong = experiment_file.read(topology.load())
    if json:
        say(dumps(experiment_list.data(plans, lesson), indent=2))
    elif lesson:
        say(experiment_list.one(plans, lesson))
    else:
        others = experiment_file.for_other_nodes(plans)
        say((experiment_list.listing if all else experiment_list.short)(plans, others))
    if wrong:
        raise wrong


@command(changes=False)
def checks_(c: Context) -> None:
    """Explain every check: what it tells, its unit, and a usual limit."""
    say(experiment_list.checks(explained()))


RUN = {"rounds": "inject its faults so many times, at moments drawn by the seed", "seed": "instead of the file's own"}


STARTS_ANEW = "what it broke is healed, see invoke lab.status; run again, it starts from its beginning"


@command(changes=True, interrupted=STARTS_ANEW, positional=["name"], help=RUN)
def run(c: Context, name: str, rounds: int = 0, seed: int = 0) -> None:
    """Run an experiment: load, faults in time, checks, a report in runs/latest."""
    lab = topology.load()
    wanted = experiment_file.find(name, lab)
    _must_be_repeatable(wanted, rounds)
    plan = replace(wanted, seed=seed or wanted.seed)
    with own_choices.in_force(lab, ROLES, plan), runner.run(lab, plan, ROLES, rounds) as folder:
        code = _report(folder)
    raise Exit(code=code)


@command(changes=False, positional=["run"])
def report_(c: Context, run: str) -> None:
    """Judge a run again and draw its report; 'latest' is one too, and no machine has to run."""
    raise Exit(code=_report(run_folder.find(run)))


def _must_be_repeatable(wanted: Plan, rounds: int) -> None:
    """A round injects all faults together: what else a story tells would be left out without a word."""
    mistakes = [f"--rounds {rounds}: at least one"] if rounds < 0 else []
    if rounds and not wanted.faults:
        mistakes.append(f"{wanted.name} has no fault that could be injected again")
    if rounds and wanted.is_story:
        why = "a round has no commands and one rate, and injects all faults together"
        mistakes.append(f"{wanted.name} tells a story, which is run as it is written: {why}")
    if mistakes:
        raise BadInput.listing("it can't be run in rounds", mistakes, hint=f"invoke experiment.run {wanted.name}")


def _report(folder: Path) -> int:
    """Judge a run, draw it, say it; the exit code of its verdict."""
    size_mb = (folder / run_folder.TIMELINE).stat().st_size / 2**20
    if size_mb > LARGE_MB:
        needs = f"{size_mb * MEMORY_PER_MB / 1024:.1f} GB of memory, and minutes"
        progress.say("report", f"the timeline has {size_mb:.0f} MB: to judge it takes some {needs}")
    with working("report", f"still judges {folder.name}"):
        judgement = Judgement.of(run_folder.read_all(folder))
        text = f"{terminal(judgement)}\n\nreport: {write(folder, judgement)}"
    say(text)
    return EXIT_CODES[judgement.verdict]


commands = Collection("experiment", run)
commands.add_task(list_, name="list")
commands.add_task(checks_, name="checks")
commands.add_task(report_, name="report")
