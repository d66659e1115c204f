"""What the commands of exercises print: the list, the beginning, the result of a check, a hint."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from textwrap import wrap
from typing import Any

from lab.exercises.exercise_file import NOW, ONCE, TEXT, Exercise, Prediction
from lab.exercises.goals import Judged
from lab.exercises.progress_file import Attempt, Progress

WIDTH = 100
LASTS = {ONCE: "", NOW: " (must be true now)"}
MISSING = (
    "no prediction was stored; to predict first: invoke exercise.reset {0} --keep-lab, then invoke exercise.start {0}"
)


def listing(exercises: Sequence[Exercise], stored: Progress) -> str:
    """A line an exercise: name, minutes, title, and how far the student was in the last check."""
    column = max((len(it.name) for it in exercises), default=0)
    lines = [f"{it.name:<{column}}  {it.minutes} min  {state(it, stored):<22} {it.title}" for it in exercises]
    return "\n".join([*lines, "", f"next: {_next(exercises, stored)}"])


def listed(exercises: Sequence[Exercise], stored: Progress) -> list[dict[str, Any]]:
    """The same for scripts."""
    return [{"name": it.name, "title": it.title, "minutes": it.minutes, "state": state(it, stored)} for it in exercises]


def state(exercise: Exercise, stored: Progress) -> str:
    """How far an exercise was in the last check, in words."""
    attempt = stored.attempts.get(exercise.name)
    if attempt is None:
        return "not begun"
    if attempt.is_done(exercise):
        return "done"
    if len(attempt.achieved) == len(exercise.goals):
        return "done, not true now"
    return f"{len(attempt.reached(exercise))} of {len(exercise.goals)} goals"


def beginning(exercise: Exercise, attempt: Attempt) -> str:
    """What a student reads after the start: where the text is, the goals, and the predictions that were stored."""
    number = exercise.number
    return "\n".join(
        [
            f"{exercise.name}: {exercise.title}, about {exercise.minutes} minutes",
            f"text      exercises/{exercise.name}/{TEXT}",
            *(f"goal      {it.text}" for it in exercise.goals),
            *(f"predicted {it.id}: {attempt.predictions[it.id]}" for it in _predicted(exercise, attempt)),
            *([] if attempt.predictions else [MISSING.format(number)]),
            f"next: read the text, do what it says, then: invoke exercise.check {number}",
        ]
    )


def checked(
    exercise: Exercise, attempt: Attempt, judged: Sequence[Judged], measured: Mapping[str, str], trouble: Sequence[str]
) -> str:
    """The result of a check: each goal with its evidence, what is wrong with the lab, and the next step."""
    reached = sum(it.done for it in judged)
    lines = [f"{exercise.name}: {exercise.title}", *(line for it in judged for line in _goal(it, attempt))]
    if reached == len(judged):
        lines += ["", *_compared(exercise, attempt, measured)]
    lines += ["", f"{reached} of {len(judged)} goals reached"]
    if trouble:
        lines += ["not as the lab was made:", *(f"    {line}" for line in trouble)]
        lines += ["    if the exercise does not ask for it: invoke lab.reset (keeps what you reached)"]
    number = exercise.number
    after = "invoke exercise.list" if reached == len(judged) else f"invoke exercise.hint {number}"
    return "\n".join([*lines, f"next: {after}"])


def as_data(exercise: Exercise, judged: Sequence[Judged], trouble: Sequence[str]) -> dict[str, Any]:
    """The same for scripts."""
    goals = [
        {"id": it.goal.id, "lasts": it.goal.lasts, "reached": it.done, "right": it.result.right, "why": it.result.why}
        for it in judged
    ]
    done = all(it.done for it in judged)
    return {"exercise": exercise.name, "done": done, "goals": goals, "not_as_made": list(trouble)}


def hint(exercise: Exercise, attempt: Attempt) -> tuple[str, Attempt]:
    """The next hint for the first goal that is not reached, and the attempt in which it was shown."""
    reached = attempt.reached(exercise)
    goal = next((it for it in exercise.goals if it.id not in reached), None)
    if goal is None:
        return f"every goal of {exercise.name} was reached in the last check", attempt
    shown = min(attempt.hints.get(goal.id, 0) + 1, len(goal.hints))
    lines = [goal.text, *(f"{number}. {it}" for number, it in enumerate(goal.hints[:shown], 1))]
    last = shown == len(goal.hints)
    after = f"that was the last hint; the whole way: invoke exercise.solve {exercise.number}"
    lines += [after if last else f"next: try it, then invoke exercise.check {exercise.number}"]
    return "\n".join(lines), attempt.model_copy(update={"hints": {**attempt.hints, goal.id: shown}})


def _next(exercises: Sequence[Exercise], stored: Progress) -> str:
    started = [it for it in exercises if it.name == stored.current]
    for it in started:
        if not stored.attempts[it.name].is_done(it):
            return f"invoke exercise.check {it.number}"
    fresh = next((it.number for it in exercises if it.name not in stored.attempts), None)
    return f"invoke exercise.start {fresh}" if fresh else "invoke experiment.list"


def _goal(it: Judged, attempt: Attempt) -> Iterator[str]:
    sign = "\u2713 right  " if it.done else "\u00b7 not yet"
    yield from wrap(
        f"{it.goal.text}{LASTS[it.goal.lasts]}", WIDTH, initial_indent=f"{sign}  ", subsequent_indent=" " * 11
    )
    if it.done and not it.result.right:
        yield f"           reached earlier: {it.before}"
        return
    if it.goal.lasts == NOW and it.before and not it.done:
        yield "           it was right in an earlier check, and is not now"
    yield from wrap(it.result.why, WIDTH, initial_indent=" " * 11, subsequent_indent=" " * 11)
    if not it.done:
        yield from ([f"           see: {it.result.see}"] if it.result.see else [])
        yield f"           hints: {attempt.hints.get(it.goal.id, 0)} of {len(it.goal.hints)} read"


def _compared(exercise: Exercise, attempt: Attempt, measured: Mapping[str, str]) -> Iterator[str]:
    """Each prediction beside what was measured, or that there was none."""
    if not attempt.predictions:
        yield MISSING.format(exercise.number)
    for it in exercise.predictions:
        predicted, found = attempt.predictions.get(it.id, "nothing"), measured.get(it.id) or "unknown"
        yield from (it.question, f"    predicted: {predicted}; measured: {found}")


def _predicted(exercise: Exercise, attempt: Attempt) -> list[Prediction]:
    return [it for it in exercise.predictions if it.id in attempt.predictions]


def when(at: float) -> str:
    """A moment as the student's clock shows it."""
    return f"{datetime.fromtimestamp(at):%H:%M:%S}"
