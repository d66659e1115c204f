"""Whether an exercise can start now: each reason against it, with the way out."""

from collections.abc import Iterator, Mapping
from typing import Any

from lab.errors import CheckFailed, LabError, LabNotUp, Locked
from lab.exercises.exercise_file import Exercise
from lab.exercises.progress_file import Progress
from lab.operations import status
from lab.topology import Lab

UP = "invoke lab.up"


def must_be_free(exercise: Exercise, stored: Progress, current: Exercise | None) -> None:
    """Raise CheckFailed if this exercise is started already, or another one is, and not done."""
    if exercise.name in stored.attempts and not stored.attempts[exercise.name].is_done(exercise):
        what = f"{exercise.name} is started already"
        hint = f"invoke exercise.check {exercise.number}; or begin it anew: invoke exercise.reset {exercise.number}"
        raise CheckFailed(what, hint=hint)
    if current and current.name != exercise.name and not stored.attempts[current.name].is_done(current):
        what = f"another exercise is started and not done: {current.name}"
        hint = f"go on with it: invoke exercise.check; or give it up: invoke exercise.reset {current.number}"
        raise CheckFailed(what, hint=hint)


def must_be_ready(lab: Lab, exercise: Exercise, now: Mapping[str, Any]) -> None:
    """Raise the first reason against a start, by the status of the lab: what causes others comes first."""
    for error in refusals(lab, exercise, now):
        raise error


def must_be_judgeable(exercise: Exercise, now: Mapping[str, Any]) -> None:
    """Raise LabNotUp if no machine runs, CheckFailed if the lab has another stage: then nothing could be judged."""
    if not any(it["state"] == "running" for it in now["nodes"]):
        what = "no machine of the lab runs; what you reached is kept"
        raise LabNotUp(what, hint=f"{UP}, then invoke exercise.check {exercise.number}")
    if now["stage"] != exercise.stage:
        what = f"the lab has the stage {now['stage']}, {exercise.name} needs {exercise.stage}"
        raise CheckFailed(what, hint="invoke lab.reset (keeps what you reached)")


def refusals(lab: Lab, exercise: Exercise, now: Mapping[str, Any]) -> Iterator[LabError]:
    """The reasons against a start, by the status of the lab."""
    if now["running"]:
        yield Locked(f"locked by {now['running']}", hint="wait for it to end, or stop it with Ctrl-C in its terminal")
    if now["faults"]:
        active = ", ".join(str(it["id"]) for it in now["faults"])
        yield CheckFailed(f"faults are active: {active}", hint="undo them: invoke fault.heal")
    off = [f"{it['name']} is {it['state']}" for it in now["nodes"] if it["state"] != "running"]
    if off:
        yield LabNotUp("the lab is not up", evidence="\n".join(off), hint=f"start it: {UP}")
    if now["stage"] != exercise.stage:
        what = f"the lab has the stage {now['stage']}, {exercise.name} needs {exercise.stage}"
        yield CheckFailed(what, hint="invoke lab.reset (as the lab was when it was made)")
    yield from _balancer(exercise, now["balancer"])
    trouble = status.wrong(lab, now)
    if trouble:
        hint = "invoke lab.status names what to do; or invoke lab.reset (as the lab was when it was made)"
        yield LabNotUp("the lab is not healthy", evidence="\n".join(trouble), hint=hint)


def _balancer(exercise: Exercise, balancer: Mapping[str, Any] | None) -> Iterator[LabError]:
    """Drained servers, and choices other than the exercise needs; a balancer that can't be asked is named elsewhere."""
    if balancer is None:
        return
    for name in balancer["drained"]:
        yield CheckFailed(f"{name} is drained: it gets no requests", hint=f"invoke lb.ready {name}")
    for choice in ("algorithm", "mode", "persistence"):
        needed = getattr(exercise.requires, choice)
        if needed and balancer[choice] != needed:
            what = f"{exercise.name} needs the {choice} {needed}, the lab has {balancer[choice]}"
            yield CheckFailed(what, hint=f"invoke lb.{choice} {needed}")
    least, there = exercise.requires.web_servers, len(balancer["servers"])
    if there < least:
        what = f"{exercise.name} needs {least} web servers, the lab has {there}"
        yield CheckFailed(what, hint="add them: see docs/topologies.md")
