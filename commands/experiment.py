"""invoke experiment.*: put load on the lab, break it, and say what users saw."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from shlex import split

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit

from commands.command import command, say
from fabfile.roles import ROLES
from lab import process, progress, topology
from lab.analysis import run_folder, timeline
from lab.analysis.judgement import Judgement
from lab.analysis.timeline import Entry
from lab.errors import BadInput
from lab.experiment import runner, teardown
from lab.experiment.runner import RunCallbacks
from lab.operations import clean_snapshot, converge, status
from lab.plan import experiment_file
from lab.plan.experiment_file import Plan
from lab.report.page import write
from lab.report.terminal import terminal
from lab.state import choices
from lab.state.lock import HOLDER, descriptors
from lab.topology import ROOT, Lab
from lab.wait import working
from loadtests import record

EXIT_CODES = {"pass": 0, "fail": 1, "error": 3, "inconclusive": 4}
COMMAND_S = 300.0
LARGE_MB, MEMORY_PER_MB = 50, 8.2  # of a timeline: 500 MB took 4.1 GB and five minutes


@command(changes=False)
def list_(c: Context) -> None:
    """Show the experiments that there are."""
    plans, wrong = experiment_file.read(topology.load())
    say("\n".join(f"{it.name:<28} {it.title}" for it in plans))
    if wrong:
        raise wrong


RUN = {"rounds": "inject its faults so many times, at moments drawn by the seed", "seed": "instead of the file's own"}


@command(changes=True, positional=["name"], help=RUN)
def run(c: Context, name: str, rounds: int = 0, seed: int = 0) -> None:
    """Run an experiment: load, faults in time, checks, a report in runs/latest."""
    lab = topology.load()
    wanted = experiment_file.find(name, lab)
    _must_be_repeatable(wanted, rounds)
    codes: list[int] = []
    perform(lab, replace(wanted, seed=seed or wanted.seed), rounds, lambda folder: codes.append(_report(folder)))
    raise Exit(code=codes[0])


@command(changes=False, positional=["run"])
def report_(c: Context, run: str) -> None:
    """Judge a run again and draw its report; 'latest' is one too, and no machine has to run."""
    raise Exit(code=_report(run_folder.find(run)))


def perform(lab: Lab, wanted: Plan, rounds: int, report_folder: Callable[[Path], None]) -> None:
    """Run an experiment, with `rounds` as lab.experiment has it; afterwards the user's choices hold again."""
    choices.set_aside()
    try:
        runner.run(lab, wanted, _callbacks(lab, wanted.without), report_folder, rounds)
    except BaseException:  # what ended it is to be told: after another error than Ctrl-C a matrix would go on
        teardown.tried("what you chose is not in force", lambda: _choose_again(lab), "invoke lab.provision")
        raise
    _choose_again(lab)


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
        judgement = Judgement.of(_entries(folder))
        text = f"{terminal(judgement)}\n\nreport: {write(folder, judgement)}"
    say(text)
    return EXIT_CODES[judgement.verdict]


def _entries(folder: Path) -> list[Entry]:
    """What was seen in a run; where it was killed, it could not take in what its load had recorded."""
    entries = run_folder.read(folder)
    ended = any((it.observer, it.kind) == ("lab", "end") for it in entries)
    recorded = [] if ended else record.merge(folder / run_folder.RECORD)
    others = [
        it for it in entries if not recorded or it.observer != "client"
    ]  # it may have been killed while it took it in
    return sorted([*others, *map(timeline.entry, recorded)], key=lambda it: it.at)


def _callbacks(lab: Lab, without: Sequence[str]) -> RunCallbacks:
    def converge_with(wanted: Mapping[str, str]) -> None:
        now = {**status.DEFAULTS, **clean_snapshot.DEFAULTS, **choices.load()}
        if any(now[name] != value for name, value in wanted.items()):
            choices.save(wanted)
        converge.everything(lab, ROLES, without=without)

    return RunCallbacks(converge_with, _command, record.merge)


def _choose_again(lab: Lab) -> None:
    """What the experiment chose for itself goes with it, and what it took away is put back.

    That it was taken away is struck out by the converge, once all is there again.
    """
    if choices.bring_back():
        converge.everything(lab, ROLES)


def _command(words: str, give_up: Callable[[], bool]) -> tuple[int, str]:
    argv = [str(Path(sys.executable).with_name("invoke")), *split(words)]
    done = process.run(
        argv,
        cwd=str(ROOT),
        timeout=COMMAND_S,
        ok=range(256),
        env={HOLDER: str(os.getpid())},
        keep=descriptors(),
        give_up=give_up,
    )
    return done.exit_code, done.output


commands = Collection("experiment", run)
commands.add_task(list_, name="list")
commands.add_task(report_, name="report")
