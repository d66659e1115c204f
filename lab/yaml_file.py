"""YAML files that people write: each mistake in them is reported with its line and its place."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

import yaml

from lab.errors import BadInput
from lab.mistakes import Mistake, Place, hint

ENDING = ".yml"
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
            raise BadInput(f"{name} is not YAML", evidence=evidence, hint=hint(name, text, error)) from error

    def duplicates(self) -> Iterator[Mistake]:
        """Keys that occur twice in the same place: YAML would silently use the last."""
        return _duplicates(self.tree)

    def octals(self) -> Iterator[Mistake]:
        """Numbers that begin with a zero: YAML would silently read 010 as 8."""
        return _octals(self.tree)

    def without_settings(self, first: str, hint: str = "") -> BadInput:
        """The error about a file that is empty, or begins with something else than settings such as `first`."""
        if self.data is None:
            return BadInput(f"{self.name} is empty", hint=hint or f"write the settings, {first} and the others")
        what = "a list" if isinstance(self.data, list) else "a text"
        what = f"{self.name} must begin with settings like {first}, not with {what}"
        return BadInput(what, hint=hint or f"correct {self.name}")

    def refusal(self, mistakes: Iterable[Mistake]) -> BadInput:
        """The error that names all mistakes with their lines."""
        lines = dict(_lines(self.tree))
        found = sorted(((_line(lines, at), at, text) for at, text in mistakes), key=lambda it: it[0])
        problems = [": ".join(filter(None, (f"line {line}", ".".join(at), text))) for line, at, text in found]
        return BadInput.listing(
            self.name if len(problems) == 1 else f"{self.name} has {len(problems)} mistakes",
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
        return path.read_text(encoding="utf-8-sig")  # editors of Windows begin a file with a byte order mark
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
