"""Mistakes in files that people write, in plain words: of a setting's value, of its name, and of YAML itself."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from lab.errors import did_you_mean, like

Place = tuple[str, ...]
Mistake = tuple[Place, str]
Model = type[BaseModel]
NO_BREAK_SPACE = "\u00a0"
LONGEST_SHOWN = 60
GROUP = "a group of settings, each 'name: value'"
# What a value must be, by pydantic's type of the error: https://docs.pydantic.dev/latest/errors/validation_errors/
MUST_BE = {
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
    "string_too_long": "at most {max_length} characters long",
    "finite_number": "a finite number",
    "float_type": "a number",
    "float_parsing": "a number",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "string_type": "a text",
    "list_type": "a list",
    "dict_type": GROUP,
    "model_type": GROUP,
    "ip_v4_address": "an IPv4 address such as 192.168.56.10",
    "ip_v4_network": "an IPv4 network such as 192.168.56.0/24",
}
CHOICES = ("literal_error", "enum")
EMPTY = ("too_short", "string_too_short")


def shown(value: object) -> str:
    """A value as a person wrote it in YAML; of a list or a group of settings only what it is."""
    if value is None or value in ("", [], {}):
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a group of settings"
    text = str(value) if isinstance(value, date) else repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def invalid(error: ValidationError, subject: str, model: Model | None = None) -> list[Mistake]:
    """What pydantic found; `subject` is what the file describes: 'the lab'."""
    found = ((tuple(map(str, it["loc"])), it) for it in error.errors())
    return [(place, _text(it, place, subject, model)) for place, it in found]


def hint(name: str, text: str, error: Exception) -> str:
    """What to do about a text that is not YAML, by the words and the place of the parser."""
    lines = text.splitlines()
    marks = [getattr(error, mark, None) for mark in ("problem_mark", "context_mark")]
    for mark in filter(None, marks):
        line = lines[mark.line] if mark.line < len(lines) else ""
        if NO_BREAK_SPACE in line or line[mark.column :].startswith("\t"):
            return f"indent with spaces: line {mark.line + 1} of {name} has a tab or a no-break space"
    problem, mark = str(getattr(error, "problem", "")), marks[0]
    return f"correct {name}{_advice(problem, lines, mark, marks[1]) if mark else ''}"


def _advice(problem: str, lines: list[str], at: yaml.Mark, begins: yaml.Mark | None) -> str:
    number = at.line + 1
    if _is_out_of_line(problem, lines, at):
        above = next((i for i in range(at.line, 0, -1) if lines[i - 1].strip()), 0)
        how = f"begins in column {_indent(lines[at.line]) + 1}, line {above} in column {_indent(lines[above - 1]) + 1}"
        return f": check the indentation: line {number} {how}; settings of the same group begin in the same column"
    if "mapping values are not allowed" in problem:
        return ": put a text that has ': ' in it in quotes"
    if "could not find expected ':'" in problem:
        return f": line {number - 1} or {number} is no 'name: value'"
    if "cannot start any token" in problem:
        return f": put the text in line {number} in quotes"
    if problem.startswith("expected ','") and begins:
        return f": line {begins.line + 1} opens a bracket that is not closed"
    if "unexpected end of stream" in problem and begins:
        return f": line {begins.line + 1} opens a quote that is not closed"
    return ""


def _is_out_of_line(problem: str, lines: list[str], at: yaml.Mark) -> bool:
    """Whether the parser met a line that begins in another column than those of its group."""
    line = lines[at.line] if at.line < len(lines) else ""
    if problem.startswith("expected <block end>"):
        return _indent(line) == at.column
    above = next((it for it in reversed(lines[: at.line]) if it.strip()), "")
    return "mapping values are not allowed" in problem and _indent(line) > _indent(above) and ": " in above


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _text(it: Any, place: Place, subject: str, model: Model | None) -> str:
    kind, value, limits = it["type"], it["input"], it.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return f"is not a setting of {_owner(place) or subject}{_meant(model, place, subject)}"
    if kind in CHOICES:
        known = re.findall("'([^']*)'", limits["expected"])
        return f"can't be {shown(value)}; {did_you_mean(value, list(filter(None, known)))}"
    if kind in EMPTY:
        return "must not be empty"
    if kind in MUST_BE:
        return f"must be {MUST_BE[kind].format(**limits)} (it is {shown(value)})"
    message = str(it["msg"])
    return f"{message[0].lower()}{message[1:]} (it is {shown(value)})"


def _owner(place: Place) -> str:
    """The name of the group that a setting stands in; '' at the file's top level."""
    return next((f"'{name}'" for name in reversed(place[:-1]) if not name.isdigit()), "")


def _meant(model: Model | None, place: Place, subject: str) -> str:
    """Of an unknown setting: what people probably wanted to write there."""
    name = place[-1]
    if NO_BREAK_SPACE in name:
        return "; indent with spaces: it has a no-break space"
    if ":" in name:
        return "; a space must follow the colon"
    if not model:
        return ""
    models = list(_models(model, place[:-1]))
    known = models[-1].model_fields
    if like(name, known):
        return f"; {did_you_mean(name, known)}"
    return f"; {_elsewhere(models, name, subject) or did_you_mean(name, known)}"


def _elsewhere(models: list[Model], name: str, subject: str) -> str:
    """Where a setting belongs that is indented too little or too much; '' where no group near by has it."""
    for field, info in models[-1].model_fields.items():
        inner = _model_of(info.annotation)
        if inner and name in inner.model_fields:
            return f"it is a setting of '{field}': indent it below '{field}:'"
    return f"it is a setting of {subject}: indent it less" if name in models[0].model_fields else ""


def _models(model: Model, place: Place) -> Iterator[Model]:
    """The models from the whole file to a place in it: a model holds others as fields, in lists and by name."""
    yield model
    for name in place:
        field = model.model_fields.get(name)
        inner = _model_of(field.annotation) if field else None
        if inner:
            model = inner
            yield model


def _model_of(annotation: Any) -> Model | None:
    """The model that a setting's type is or holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_of, get_args(annotation))), None)
