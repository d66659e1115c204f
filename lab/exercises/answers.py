"""Answers and predictions as a student types them: `id=value id=value`, each read against its question."""

import re
from collections.abc import Iterator, Mapping

from lab.errors import BadInput, did_you_mean
from lab.exercises.exercise_file import Question


def parse(text: str, questions: Mapping[str, Question], option: str) -> dict[str, str]:
    """Read `id=value` words; raises BadInput that lists every mistake. `option` is the one that they were given to."""
    words = [word.partition("=")[::2] for word in text.split()]
    mistakes = [it for name, value in words for it in _mistakes(name, value, questions)]
    given = [name for name, _ in words]
    mistakes += [f"{name} is answered twice" for name in dict.fromkeys(given) if given.count(name) > 1]
    if mistakes:
        example = " ".join(f"{name}=..." for name in questions)
        raise BadInput.listing("this is not an answer", mistakes, hint=f'{option} "{example}"')
    return {name: value.lower() for name, value in words}


def wrong(value: str, question: Question) -> str:
    """Why a value can't be an answer to a question; '' if it can."""
    if not value:
        return "the value is missing"
    if question.allowed and value.lower() not in question.allowed:
        return f"{value!r} is not one of the answers; {did_you_mean(value, question.allowed)}"
    if question.number and number(value) is None:
        return f"{value!r} is not a number such as 12 or 2.5"
    return ""


def number(text: str) -> float | None:
    """A number as a student types it, also with its unit s; None if it is none."""
    match = re.fullmatch(r"([0-9]+(?:[.,][0-9]+)?)s?", text.strip().lower())
    return float(match[1].replace(",", ".")) if match else None


def _mistakes(name: str, value: str, questions: Mapping[str, Question]) -> Iterator[str]:
    if name not in questions:
        yield f"{name!r} is not asked; {did_you_mean(name, questions)}"
    elif problem := wrong(value, questions[name]):
        yield f"{name}: {problem}"
