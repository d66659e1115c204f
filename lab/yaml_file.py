"""YAML files that people write: each mistake in them is reported with its line and its place."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from lab.errors import BadInput, did_you_mean

Place = tuple[str, ...]
Mistake = tuple[Place, str]
ENDING = ".yml"
NO_BREAK_SPACE = "\u00a0"
INTEGER = "tag:yaml.org,2002:int"
UNNAMED = '"<unicode string>"'  # what the parser calls a text
OTHER_ENDINGS = {".yaml", ".YAML", ".YML"}
FAST: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, where PyYAML was built with it


@dataclass(frozen=True)
class Document:
    """A YAML file as data, and as the parsed tree, which has the line numbers."""

    name: str
    data: Any
    tree: yaml.Node | None

    @classmethod
    def read(cls, name: str, text: str) -> "Document":
        """Parse the text of the file `name`; raises BadInput with the place of a syntax error."""
        try:
            loader = _loader(text)
            tree = yaml.compose(text, Loader=loader)
            if line := _cycle(tree):
                raise BadInput(f"{name}: the value in line {line} contains itself, by an alias", hint=f"correct {name}")
            return cls(name, yaml.load(text, Loader=loader), tree)
        except (yaml.YAMLError, ValueError) as error:  # a ValueError: a date that does not exist
            evidence = str(error).replace(UNNAMED, name)
            raise BadInput(f"{name} is not YAML", evidence=evidence, hint=_hint(name, text, error)) from error

    def duplicates(self) -> Iterator[Mistake]:
        """Keys that occur twice in the same place: YAML would silently use the last."""
        return _duplicates(self.tree)

    def octals(self) -> Iterator[Mistake]:
        """Numbers that begin with a zero: YAML would silently read 010 as 8."""
        return _octals(self.tree)

    def refusal(self, mistakes: Iterable[Mistake]) -> BadInput:
        """The error that names all mistakes with their lines."""
        lines = dict(_lines(self.tree))
        found = sorted(((_line(lines, at), at, text) for at, text in mistakes), key=lambda it: it[0])
        problems = [": ".join(filter(None, (f"line {line}", ".".join(at), text))) for line, at, text in found]
        return BadInput.listing(
            f"{self.name} has {len(problems)} mistake{'s' * (len(problems) != 1)}",
            problems,
            hint=f"correct {self.name}, then run the command again; nothing was changed",
        )


def _loader(text: str) -> type[yaml.SafeLoader]:
    """The fast loader, unless it finds a mistake: then PyYAML's own, whose errors show the line."""
    try:
        yaml.compose(text, Loader=FAST)
    except yaml.YAMLError:
        return yaml.SafeLoader
    return FAST


def files(folder: Path, endings: Collection[str] = (ENDING,)) -> list[Path]:
    """The files of a folder and its subfolders, sorted by name, without hidden files and folders."""
    found = (path for path in folder.rglob("*") if path.suffix in endings and path.is_file())
    shown = (path for path in found if not any(part[0] == "." for part in path.relative_to(folder).parts))
    return sorted(shown, key=lambda path: (path.stem, path))


def twice(paths: Iterable[Path]) -> list[BadInput]:
    """The errors for files with the same name in several folders: a name must identify one file."""
    by_name: dict[str, list[Path]] = {}
    for path in paths:
        by_name.setdefault(path.name, []).append(path)
    same = {name: "\n".join(map(str, places)) for name, places in by_name.items() if len(places) > 1}
    hint = "rename all but one"
    return [BadInput(f"several files are called {name}", evidence=where, hint=hint) for name, where in same.items()]


def misnamed(path: Path) -> BadInput:
    """The error for a file with another ending; it has the right name."""
    right = path.with_suffix(ENDING)
    return BadInput(f"{path.name} must be called {right.name}", hint=f"mv -i {quote(str(path))} {quote(str(right))}")


def text(path: Path) -> str:
    """The content of a file; raises BadInput with its name if it can't be read."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{path.name} is not UTF-8 text (line {line})", hint="save it as UTF-8") from error
    except OSError as error:
        raise BadInput(f"{path.name} can't be read: {error.strerror}", hint=f"ls -l {path}") from error


def together(wrong: Sequence[BadInput]) -> BadInput | None:
    """The errors of several files as one error; None if there are none."""
    if len(wrong) < 2:
        return wrong[0] if wrong else None
    return BadInput(f"{len(wrong)} files have mistakes", evidence="\n".join(map(str, wrong)))


def invalid(error: ValidationError, subject: str, model: type[BaseModel] | None = None) -> list[Mistake]:
    """What pydantic found, in words for people; `subject` is what the file describes: 'the lab'."""
    found = ((tuple(map(str, it["loc"])), it) for it in error.errors())
    return [(place, _text(it, subject) + _meant(model, place, it["type"])) for place, it in found]


def _hint(name: str, text: str, error: Exception) -> str:
    lines = dict(enumerate(text.splitlines()))
    for mark in filter(None, (getattr(error, "problem_mark", None), getattr(error, "context_mark", None))):
        line = lines.get(mark.line, "")
        if NO_BREAK_SPACE in line or line[mark.column :].startswith("\t"):
            return f"indent with spaces: line {mark.line + 1} of {name} has a tab or a no-break space"
    if "mapping values are not allowed here" in str(error):
        return f"correct {name}: put a text that has ': ' in it in quotes"
    return f"correct {name}"


def _text(error: Any, subject: str) -> str:
    message = re.sub(r" or instance of \w+", "", str(error["msg"]))
    if error["type"] in {"missing", "extra_forbidden"}:
        return {"missing": "is missing", "extra_forbidden": f"is not a setting of {subject}"}[error["type"]]
    return f"{message[0].lower()}{message[1:]} (it is {error['input']!r})"


def _meant(model: type[BaseModel] | None, place: Place, kind: str) -> str:
    """Of a setting that there is not: what people probably wanted to write there."""
    if kind != "extra_forbidden":
        return ""
    if NO_BREAK_SPACE in place[-1]:
        return "; indent with spaces: it has a no-break space"
    if ":" in place[-1]:
        return "; a space must follow the colon"
    return f"; {did_you_mean(place[-1], _settings(model, place[:-1]))}" if model else ""


def _settings(model: Any, place: Place) -> list[str]:
    """The settings of the model at a place in it: a model holds others as fields, and in lists."""
    for name in place:
        listed = get_args(model)
        model = listed[-1] if listed else model.model_fields[name].annotation
    return list(model.model_fields)


def _lines(node: yaml.Node | None, place: Place = ()) -> Iterator[tuple[Place, int]]:
    if node is not None:
        yield place, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*place, str(key.value)), key.start_mark.line + 1
            yield from list(_lines(value, (*place, str(key.value))))[1:]
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _lines(item, (*place, str(index)))


def _line(lines: dict[Place, int], place: Place) -> int:
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def _duplicates(node: yaml.Node | None, place: Place = ()) -> Iterator[Mistake]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            here = (*place, str(key.value))
            if key.value in seen:
                yield here, "stands here twice"
            seen.add(key.value)
            yield from _duplicates(value, here)
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _duplicates(item, (*place, str(index)))


def _cycle(node: yaml.Node | None, above: tuple[yaml.Node, ...] = ()) -> int:
    """The line of a value that contains itself, or 0."""
    if not isinstance(node, yaml.CollectionNode):
        return 0
    if node in above:
        return int(node.start_mark.line) + 1
    held = [it for pair in node.value for it in pair] if isinstance(node, yaml.MappingNode) else node.value
    return next(filter(None, (_cycle(it, (*above, node)) for it in held)), 0)


def _octals(node: yaml.Node | None, place: Place = ()) -> Iterator[Mistake]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _octals(value, (*place, str(key.value)))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _octals(item, (*place, str(index)))
    elif node and node.tag == INTEGER and re.match(r"[-+]?0[0-7_]", node.value):
        yield place, f"{node.value} begins with a zero, which YAML reads as {yaml.safe_load(node.value)}"
