"""invoke exercise.*: exercises that check themselves: predict, break, measure, explain."""

import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from json import dumps

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit

from commands.command import command, say
from fabfile.roles import ROLES
from lab import progress, topology
from lab.errors import CheckFailed
from lab.exercises import answers, exercise_file, facts, progress_file, readiness, text
from lab.exercises.exercise_file import CHECK, LIST, SOLUTION, Exercise
from lab.exercises.facts import Facts
from lab.exercises.goals import judge
from lab.exercises.progress_file import Attempt, Progress
from lab.exercises.solving import Bench
from lab.operations import clean_snapshot, status
from lab.topology import Lab
from lab.wait import working

SKIP = "?"
NAME = {"name": "its name or number; left out: the one that was started last"}
STARTS_ANEW = "run again, it starts from its beginning"


@command(changes=False, help={"json": "as data, for scripts"})
def list_(c: Context, json: bool = False) -> None:
    """List the exercises, and how far each was in its last check."""
    exercises, stored = exercise_file.every(), progress_file.load()
    say(dumps(text.listed(exercises, stored), indent=2) if json else text.listing(exercises, stored))


START = {"name": "its name or number", "predict": 'your predictions, instead of the questions: "failed=none noticed=3"'}


@command(changes=False, positional=["name"], help=START)
def start(c: Context, name: str, predict: str = "") -> None:
    """Start an exercise: refuse where the lab is not ready, ask for predictions, note the time."""
    exercise, lab = _named(name), topology.load()
    asked = {it.id: it for it in exercise.predictions}
    given = answers.parse(predict, asked, f"invoke exercise.start {exercise.number} --predict")
    _must_be_free(exercise, progress_file.load())
    with working("exercise", "still asks the nodes"):
        now = status.collect(lab)
    readiness.must_be_ready(lab, exercise, now)
    if not predict and sys.stdin and sys.stdin.isatty():
        given = _asked(exercise)
    missing = [it.id for it in exercise.predictions if it.id not in given]
    if missing:
        progress.say("exercise", f"no prediction for {', '.join(missing)}")
    attempt = Attempt(began=time.time(), predictions=given)
    with progress_file.changing() as change:
        _must_be_free(exercise, change.old)
        change.new = change.old.with_attempt(exercise.name, attempt, current=exercise.name)
    say(text.beginning(exercise, attempt))


CHECKED = {
    **NAME,
    "answer": 'what you found out: "address=192.168.56.10 servers=web1,web2"',
    "json": "as data, for scripts",
}


@command(changes=False, positional=["name"], help=CHECKED)
def check(c: Context, name: str, answer: str = "", json: bool = False) -> None:
    """Check the exercise: what is right, what is not yet, and why; exit 0 if every goal is reached, else 1."""
    exercise, attempt = _started(name)
    option = f"invoke exercise.check {exercise.number} --answer"
    given = answers.parse(answer, exercise.questions, option)
    attempt = _stored(exercise, lambda it: it.model_copy(update={"answers": {**it.answers, **given}}))
    lab = topology.load()
    known, module = _facts(lab, attempt), exercise.module(CHECK)
    readiness.must_be_judgeable(exercise, known.status)
    judged = judge(exercise.goals, module.GOALS, known, attempt.achieved)
    attempt = _stored(exercise, lambda it: it.after(judged, time.time()))
    trouble = [f"still runs, and counts when it has ended: {it}" for it in filter(None, [known.status["running"]])]
    trouble += status.wrong(lab, known.status)
    if json:
        say(dumps(text.as_data(exercise, judged, trouble), indent=2))
    else:
        measured = {name: measure(known) for name, measure in module.MEASURED.items()}
        say(text.checked(exercise, attempt, judged, measured, trouble))
    if not all(it.done for it in judged):
        raise Exit(code=CheckFailed.exit_code)


@command(changes=False, positional=["name"], help={**NAME})
def hint(c: Context, name: str) -> None:
    """Show the next hint for the first goal that is not reached."""
    exercise, attempt = _started(name)
    shown, after = text.hint(exercise, attempt)
    _stored(exercise, lambda _: after)
    say(shown)


@command(changes=True, interrupted=STARTS_ANEW, positional=["name"], help={**NAME})
def solve(c: Context, name: str) -> None:
    """Do the exercise as a student could, and explain each step."""
    exercise, attempt = _started(name)
    lab = topology.load()
    for number, step in enumerate(exercise.module(SOLUTION).STEPS, 1):
        say(f"{number}. {step.why}\n   $ {step.typed}")
        found = step.do(Bench(lab, partial(_facts, lab, attempt)))
        if found:
            said = " ".join(f"{goal}={value}" for goal, value in found.items())
            say(f'   $ invoke exercise.check {exercise.number} --answer "{said}"')
            attempt = _stored(exercise, partial(_with_answers, found))
    say(f"next: invoke exercise.check {exercise.number}")


RESET = {**NAME, "keep_lab": "forget what was reached, and leave the lab as it is"}


@command(changes=True, ends_restore=True, positional=["name"], help=RESET)
def reset(c: Context, name: str, keep_lab: bool = False) -> None:
    """Bring lab and exercise back to the beginning: lab.reset, and all that was reached is forgotten."""
    exercise = _named(name or _current())
    if not keep_lab:
        clean_snapshot.reset(topology.load(), ROLES)
    with progress_file.changing() as change:
        change.new = change.old.without(exercise.name)
    again = f"next: invoke exercise.start {exercise.number}"
    say(f"{exercise.name} is as it was before its start{'' if keep_lab else ', and so is the lab'}\n{again}")


def _named(name: str) -> Exercise:
    if not name:
        raise CheckFailed("no exercise is named", hint=f"{LIST}, then invoke exercise.start NAME")
    return exercise_file.find(name)


def _current() -> str:
    current = progress_file.load().current
    if not current:
        raise CheckFailed("no exercise is started", hint=f"{LIST}, then invoke exercise.start NAME")
    return current


def _started(name: str) -> tuple[Exercise, Attempt]:
    """The exercise of this name, or the one that was started last, with its attempt."""
    exercise = _named(name or _current())
    attempts = progress_file.load().attempts
    if exercise.name not in attempts:
        raise CheckFailed(f"{exercise.name} is not started", hint=f"invoke exercise.start {exercise.number}")
    return exercise, attempts[exercise.name]


def _must_be_free(exercise: Exercise, stored: Progress) -> None:
    known = stored.current in exercise_file.names()
    readiness.must_be_free(exercise, stored, exercise_file.find(stored.current) if known else None)


def _stored(exercise: Exercise, changed: Callable[[Attempt], Attempt]) -> Attempt:
    """Store a change of an attempt, as it is now; raises CheckFailed if somebody has reset it meanwhile."""
    with progress_file.changing() as change:
        if exercise.name not in change.old.attempts:
            raise CheckFailed(f"{exercise.name} is not started", hint=f"invoke exercise.start {exercise.number}")
        attempt = changed(change.old.attempts[exercise.name])
        change.new = change.old.with_attempt(exercise.name, attempt)
    return attempt


def _with_answers(found: Mapping[str, str], attempt: Attempt) -> Attempt:
    return attempt.model_copy(update={"answers": {**attempt.answers, **found}})


def _facts(lab: Lab, attempt: Attempt) -> Facts:
    with working("exercise", "still asks the nodes"):
        return facts.gather(lab, attempt.began, attempt.answers)


def _asked(exercise: Exercise) -> dict[str, str]:
    """The predictions of a student at a terminal; the end of the input, or SKIP, is none."""
    sys.stderr.write(f"Your predictions, before you measure ({SKIP} is none):\n")
    found = {it.id: _ask(it) for it in exercise.predictions}
    return {name: value for name, value in found.items() if value != SKIP}


def _ask(it: exercise_file.Prediction) -> str:
    kinds = ", ".join(it.allowed) or ("a number" if it.number else "a word")
    while True:
        sys.stderr.write(f"  {it.question} [{kinds}] ")
        sys.stderr.flush()
        answer = (sys.stdin.readline() or SKIP).strip()
        mistake = "" if answer == SKIP else answers.wrong(answer, it)
        if not mistake:
            return answer.lower()
        sys.stderr.write(f"  {mistake}\n")


commands = Collection("exercise", start, check, hint, solve, reset)
commands.add_task(list_, name="list")
