"""README and the pages of docs/, and what stands in them: commands, links, tables."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from lab.topology import ROOT

GENERATED = {"matrix.md"}  # made by invoke experiment.table
TABLES = re.compile(r"<!-- table: (\w+) -->\n(.*?)<!-- end -->", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"")
QUOTED = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
INDENTED = re.compile(r" {4}\S")  # deeper is output
COMMAND = re.compile(r"^(?:\$ |sudo |\./bootstrap\.sh --then )*(?:\.venv/bin/)?(invoke|make|locust|fab) (.+)$")


def pages() -> list[Path]:
    """Every page that people write and read."""
    docs = (path for path in sorted((ROOT / "docs").rglob("*.md")) if path.name not in GENERATED)
    exercises = sorted((ROOT / "exercises").glob("*/README.md"))
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *docs, *exercises]


def text(path: Path) -> str:
    """What a page says."""
    return path.read_text(encoding="utf-8")


def commands(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each program of the lab that these lines call, and the words after its name."""
    for line in lines:
        if match := COMMAND.match(line):
            yield match[1], match[2]


def code(page: str) -> list[str]:
    """The lines of its code blocks."""
    lines: list[str] = []
    fenced = False
    for line in page.splitlines():
        fenced ^= line.startswith("```")
        lines += [line.strip()] if fenced or INDENTED.match(line) else []
    return lines


def quoted(page: str) -> list[str]:
    """The words that stand in quotes of code."""
    return QUOTED.findall(page)


def links(page: str) -> list[str]:
    """Where the links and pictures of a page lead."""
    return [first or second for first, second in LINK.findall(page)]


def anchors(page: str) -> set[str]:
    """The names of a page's headings, as a link has them."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", it.lower()).replace(" ", "-") for it in headings}


def rows(page: str) -> list[list[str]]:
    """The cells of all tables of a page."""
    lines = (line for line in page.splitlines() if line.startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def tables(page: str) -> dict[str, str]:
    """The tables of a page that are made from code, by name."""
    return dict(TABLES.findall(page))
