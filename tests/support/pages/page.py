"""The commands of a Markdown page, with the output that the page shows below each, and the page with other outputs."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

PROMPT = "$ "
EXIT = "exit="
EITHER = "either"
SHELL = ("console", "sh", "bash", "shell")
# What an indented block, which names no language, begins with where it is a list of commands, and so does each of them.
# In such a line the command ends where its explanation begins: after two blanks, with # or without.
NOTE = re.compile(r" {2,}")
PROGRAMS = ("invoke", "curl", "dig", "for", "locust", "make", "sleep", "source", "vagrant")


@dataclass(frozen=True)
class Command:
    """A command as it is typed; `expected` is the output below it, None where the page shows none.

    `line` is the number of its line, from 0; its output ends before `end`. `marks` are the words of the block after
    its language: `exit=N`, the exit code that is expected of its last command, and `either`, see shape.difference().
    """

    text: str
    line: int
    end: int
    expected: tuple[str, ...] | None
    marks: tuple[str, ...] = ()
    is_last: bool = True

    @property
    def exit_code(self) -> int:
        """The exit code that is expected."""
        given = [it.removeprefix(EXIT) for it in self.marks if it.startswith(EXIT)]
        return int(given[0]) if given and self.is_last else 0

    @property
    def either(self) -> bool:
        """Whether the balancer may have begun with the other server."""
        return EITHER in self.marks


@dataclass(frozen=True)
class Page:
    """A page, by its path and text."""

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path) -> "Page":
        """The page of a file."""
        return cls(path, path.read_text(encoding="utf-8"))

    @property
    def blocks(self) -> list[list[Command]]:
        """The commands of each code block that has some."""
        tokens = MarkdownIt().parse(self.text)
        found = [list(_commands(it, self.text.splitlines())) for it in tokens if it.type in ("fence", "code_block")]
        return [block for block in found if block]

    @property
    def commands(self) -> list[Command]:
        """All commands, in their order."""
        return [command for block in self.blocks for command in block]

    def with_outputs(self, outputs: Mapping[int, Sequence[str]]) -> str:
        """The text with other outputs, by the lines of their commands; commands that show none keep none."""
        lines = self.text.splitlines()
        for command in reversed(self.commands):
            if command.expected is not None and command.line in outputs:
                indent = _indent(lines[command.line])
                lines[command.line + 1 : command.end] = [f"{indent}{it}".rstrip() for it in outputs[command.line]]
        return "\n".join(lines) + "\n"


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _commands(token: Token, lines: Sequence[str]) -> Iterator[Command]:
    """The commands of a block: after a prompt with their output, else a line each."""
    assert token.map is not None
    is_fence = token.type == "fence"
    language, *marks = token.info.split() or [""]
    if is_fence and language not in SHELL:
        return
    begin, end = (token.map[0] + 1, token.map[1] - 1) if is_fence else token.map
    typed = [number for number in range(begin, end) if lines[number].lstrip().startswith(PROMPT)]
    if typed:
        yield from _transcript(typed, end, lines, tuple(marks))
        return
    listed = [(number, lines[number].strip()) for number in range(begin, end) if lines[number].strip()]
    if is_fence or listed[0][1].split()[0] in PROGRAMS:
        for number, line in listed:
            if not line.startswith("#") and (is_fence or line.split()[0] in PROGRAMS):
                yield Command(NOTE.split(line)[0], number, number + 1, None, tuple(marks))


def _transcript(typed: Sequence[int], end: int, lines: Sequence[str], marks: tuple[str, ...]) -> Iterator[Command]:
    for number, after in zip(typed, [*typed[1:], end], strict=True):
        indent = _indent(lines[number])
        shown = tuple(line.removeprefix(indent).rstrip() for line in lines[number + 1 : after])
        text = lines[number].strip().removeprefix(PROMPT)
        yield Command(text, number, after, shown, marks, is_last=number == typed[-1])
