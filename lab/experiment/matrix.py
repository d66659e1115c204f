"""The matrix: runs every shipped experiment that has no result yet, one after the other."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab import progress
from lab.analysis import matrix_results, run_folder
from lab.analysis.judgement import Judgement
from lab.analysis.matrix_results import Result
from lab.desired.target import Roles
from lab.errors import BadInput, LabError, did_you_mean
from lab.experiment import own_choices, runner
from lab.operations import clean_snapshot
from lab.plan.experiment_file import LIST, Plan
from lab.state import choices
from lab.topology import Lab

QUIET_S = 600.0  # how long an experiment without faults is measured: false alarms are rare
ROUND_S, AROUND_S = 60.0, 60.0  # a first guess, until there are results
WORST_FIRST = {"fail": 1, "error": 3, "inconclusive": 4}  # exit codes by verdict, the worst first


@dataclass(frozen=True)
class Row:
    """An experiment to run until it has `times` results; `fingerprint` identifies the code that these belong to."""

    plan: Plan
    rounds: int
    fingerprint: str
    times: int = 1

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return self.plan.name


@dataclass(frozen=True)
class Setup:
    """What all rows share: lab, roles, hosting machine, file of the results, and the function that draws a report."""

    lab: Lab
    roles: Roles
    host: Result
    path: Path
    draw: Callable[[Path, Judgement], object]


def rows(plans: Sequence[Plan], only: str, rounds: int, times: int = 1) -> list[Row]:
    """All experiments, or those in `only`, separated by commas; raises BadInput that lists every mistake."""
    known = {it.name: it for it in plans}
    wanted = list(dict.fromkeys(name.strip() for name in only.split(",") if name.strip())) or list(known)
    unknown = [name for name in wanted if name not in known]
    mistakes = [f"there is no experiment {name!r}; {did_you_mean(name, known, LIST)}" for name in unknown]
    mistakes += [f"--{word} {it}: at least one" for word, it in (("rounds", rounds), ("times", times)) if it < 1]
    if mistakes:
        raise BadInput.listing("there is no such matrix", mistakes, hint=LIST)
    return [Row(known[name], _rounds(known[name], rounds), matrix_results.fingerprint(name), times) for name in wanted]


def _rounds(plan: Plan, rounds: int) -> int:
    """The rounds of an experiment; 0, which runs it as written, if it has no fault or is a story."""
    return rounds if plan.faults and not plan.is_story else 0


def left(wanted: Sequence[Row], done: Sequence[Result]) -> list[Row]:
    """Each row as often as it lacks a result of this code; an error is no result."""
    return [row for row in wanted for _ in range(row.times - sum(it != "error" for it in _verdicts(row, done)))]


def play(todo: Sequence[Row], setup: Setup) -> Iterator[str]:
    """Run the rows and yield a line for each. Each result is saved, so an interrupted matrix can be continued.

    If the lab is not healthy before a run, it is reset once.
    """
    for number, row in enumerate(todo):
        done = matrix_results.load(setup.path)
        minutes = sum(_seconds(it, done) for it in todo[number:]) / 60
        place = f"{number + 1} of {len(todo)}"
        progress.say("matrix", f"{place}: {row.name}; about {minutes:.0f} minutes to the end")
        _Row(row, len(matrix_results.of(done, row.name)), setup).run()
        yield f"{place}  {line(matrix_results.load(setup.path)[-1])}"


def reset(lab: Lab, roles: Roles) -> None:
    """Restore the clean snapshot of the lab; the user's choices are kept."""
    choices.set_aside()
    try:
        clean_snapshot.reset(lab, roles)
    finally:
        choices.bring_back()


def exit_code(wanted: Sequence[Row], done: Sequence[Result]) -> int:
    """0 if as many latest results of every row passed as it needs; otherwise the code of the worst verdict."""
    verdicts = {word for row in wanted for word in _verdicts(row, done)}
    return next((code for word, code in WORST_FIRST.items() if word in verdicts), 0)


def line(result: Result) -> str:
    """A result as one line."""
    took = f"{result['took_s'] / 60:.1f} min"
    why = "".join(f"; {it}" for it in result["why"][:2])
    if "reads" not in result:
        return f"{result['verdict']:<12}  {result['name']}  {took}{why}"
    window, reads_of_run = result["reads"]["window"], result["reads"]["whole"]
    counted = f"{window['failed']} of {window['requests']} reads failed before HAProxy noticed"
    counted += f", {reads_of_run['failed']} of {reads_of_run['requests']} in all"
    return f"{result['verdict']:<12}  {result['name']}  {took}, {result['rounds']} rounds, {counted}{why}"


def _verdicts(row: Row, done: Sequence[Result]) -> list[str]:
    """The verdicts of this code, the newest first, at most `times`; an error counts until the row is run again."""
    found = [it["verdict"] for it in matrix_results.of(done, row.name, row.fingerprint, row.rounds)]
    return [*found[:1], *(word for word in found[1:] if word != "error")][: row.times]


def _guess_s(plan: Plan, rounds: int) -> float:
    return AROUND_S + (rounds * ROUND_S if rounds else plan.measure_s if plan.faults else QUIET_S)


def _seconds(row: Row, done: Sequence[Result]) -> float:
    """The expected duration of a row: that of its last run, or a guess scaled by the durations of other rows."""
    before = [it for it in matrix_results.of(done, row.name) if it["rounds"] == row.rounds and it["verdict"] != "error"]
    if before:
        return float(before[0]["took_s"])
    known = [it for it in done if it["verdict"] != "error" and it["rounds"]]
    guessed = sum(AROUND_S + it["rounds"] * ROUND_S for it in known)
    return _guess_s(row.plan, row.rounds) * (sum(it["took_s"] for it in known) / guessed if known and row.rounds else 1)


class _Row:
    """One row while it runs; each run has another seed, so its faults come at other moments."""

    def __init__(self, row: Row, before: int, setup: Setup) -> None:
        self.row, self.setup = row, setup
        self.plan = replace(row.plan, seed=row.plan.seed + before)
        if not row.plan.steps:
            self.plan = replace(self.plan, measure_s=max(QUIET_S, row.plan.measure_s))
        self.began, self.commit = time.monotonic(), matrix_results.commit()
        self.ran = False

    def run(self) -> None:
        """Run it. If the lab is not healthy it is reset once; if the run still cannot start, the result is an error."""
        try:
            try:
                self.perform()
            except LabError as error:
                if self.ran:
                    raise
                progress.say("matrix", f"resetting the lab: {error.what}")
                reset(self.setup.lab, self.setup.roles)
                self.perform()
        except LabError as error:
            if not self.ran:
                self.keep(matrix_results.of_error(error, self.how()))
            progress.say("matrix", f"{self.row.name}: {error.what}")

    def perform(self) -> None:
        """Run the experiment once and judge it."""
        lab, roles = self.setup.lab, self.setup.roles
        with own_choices.in_force(lab, roles, self.plan), runner.run(lab, self.plan, roles, self.row.rounds) as folder:
            self.judge(folder)

    def judge(self, folder: Path) -> None:
        """Save the result and draw the report; an interrupted run is saved only if it failed a check."""
        self.ran = True
        judgement = Judgement.of(run_folder.read(folder))
        if judgement.verdict == "fail" or not matrix_results.interrupted(judgement.history):
            self.keep(matrix_results.of_run(judgement, folder.name, self.how()))
        self.setup.draw(folder, judgement)

    def keep(self, result: Result) -> None:
        """Append a result to the file."""
        matrix_results.append(result, self.setup.path)

    def how(self) -> dict[str, Any]:
        """The time, code, machine and parameters of the run."""
        return {
            "name": self.row.name,
            "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
            "commit": self.commit,
            "fingerprint": self.row.fingerprint,
            "host": dict(self.setup.host),
            "rounds": self.row.rounds,
            "seed": self.plan.seed,
            "rate": self.plan.load.rate,
            "took_s": round(time.monotonic() - self.began),
        }
