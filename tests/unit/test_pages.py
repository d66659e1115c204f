"""README and docs/: short enough, and every command, link, file and experiment that they name is there."""

import re
import shlex
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from invoke.parser import Parser

import fabfile
import tasks
from lab import errors, topology
from lab.errors import LabError
from lab.plan.spof import chosen
from lab.topology import ROOT
from tests.support.markdown import anchors, code, commands, links, pages, quoted, rows, text
from tests.support.stories import shipped

README_BYTES = 7 * 1024
README, DOCS = ROOT / "README.md", ROOT / "docs"
GROUP = re.compile(r"^(?:lab|db|fault|experiment|exercise|box)\.[a-z]+(?: .*)?$")
FOLDERS = "box|commands|docs|exercises|experiments|fabfile|host|host-packages|lab|loadtests|provision|tests"
OURS = re.compile(rf"^(?:{FOLDERS})/[\w./-]+$")
PARSER = Parser(contexts=tasks.ns.to_contexts())
LAB = topology.load()
PLANS = shipped(LAB)
NAMES = {it.name for it in PLANS}
ANY_NAME = {"NAME", "mine"}  # for what a reader puts there


def words_of(lines: Iterable[str], program: str) -> list[list[str]]:
    """What follows the name of a program, wherever these lines call it."""
    called = [shlex.split(words, comments=True) for it, words in commands(lines) if it == program]
    return [words for words in called if words[0] != "..."]


def typed(page: Path) -> list[list[str]]:
    """The commands of invoke that a page tells to type, with their options."""
    return words_of(code(text(page)), "invoke")


def mentioned(page: Path) -> list[list[str]]:
    """Those that stand in its sentences; often without what they need."""
    quotes = quoted(text(page))
    short = [shlex.split(it) for it in quotes if GROUP.match(it) and not it.startswith(("lab.yml", "exercise.yml"))]
    return [*words_of(quotes, "invoke"), *short]


def called(page: Path, program: str) -> list[list[str]]:
    """The same of another program, wherever it stands."""
    return words_of([*code(text(page)), *quoted(text(page))], program)


def check_words(words: list[str]) -> None:
    """Parse them as invoke does; raises where it would refuse them."""
    if words[0] == "--help":
        assert words[1] in tasks.ns.task_names
    elif words[0] != "--list":
        PARSER.parse_argv(words)


def test_the_readme_is_short_and_shows_what_the_lab_is() -> None:
    """Nobody scrolls to find out what it is; the pictures come first."""
    assert len(README.read_bytes()) <= README_BYTES
    assert {"docs/lab.svg", "docs/report.png"} <= set(links("\n".join(text(README).splitlines()[:25])))


@pytest.mark.parametrize("page", pages(), ids=lambda it: it.stem)
def test_every_command_that_a_page_names_is_one(page: Path) -> None:
    """With its options, and the experiment that it runs."""
    for words in typed(page):
        check_words(words)
    for words in mentioned(page):
        check_words(words if words[1:] or words == ["--list"] else ["--help", *words])
    for words in [*typed(page), *mentioned(page)]:
        if words[0] == "experiment.run" and len(words) > 1:
            assert words[1] in NAMES | ANY_NAME
        if "--only" in words:
            named = words[words.index("--only") + 1]
            assert chosen(LAB, named) if words[0] == "experiment.spof" else set(named.split(",")) <= NAMES


@pytest.mark.parametrize("page", pages(), ids=lambda it: it.stem)
def test_what_a_page_starts_is_there(page: Path) -> None:
    """Targets of make, files of Locust, roles of fab."""
    targets = re.findall(r"^([a-z-]+):", text(ROOT / "Makefile"), re.MULTILINE)
    assert {words[0] for words in called(page, "make")} - set(targets) == set()
    assert [words for words in called(page, "locust") if not (ROOT / words[words.index("-f") + 1]).exists()] == []
    assert {words[0] for words in called(page, "fab")} - {"ROLE", *fabfile.ns.task_names} == set()


@pytest.mark.parametrize("page", pages(), ids=lambda it: it.stem)
def test_no_link_of_a_page_is_broken(page: Path) -> None:
    """Files and their headings; nothing is asked of the internet."""
    for link in links(text(page)):
        if not link.startswith(("http://", "https://")):
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(text(target)), link


@pytest.mark.parametrize("page", pages(), ids=lambda it: it.stem)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    """Paths of the checkout in quotes."""
    assert [it for it in quoted(text(page)) if OURS.match(it) and not (ROOT / it).exists()] == []


def test_every_command_is_explained() -> None:
    """A command that nobody finds is none."""
    assert set(tasks.ns.task_names) - {words[0] for words in typed(DOCS / "commands.md")} == set()


def test_every_page_can_be_found_from_the_readme() -> None:
    """In two clicks."""
    first = {(README.parent / it.partition("#")[0]).resolve() for it in links(text(README)) if "://" not in it}
    clicked = [path for path in first if path.suffix == ".md"]
    second = {(path.parent / it.partition("#")[0]).resolve() for path in clicked for it in links(text(path))}
    assert set(DOCS.rglob("*.md")) - first - second == set()


def test_the_exit_codes_are_those_of_the_errors() -> None:
    """Each error has a row, and 0 and interrupts have one."""
    raised = {it.exit_code for it in vars(errors).values() if isinstance(it, type) and issubclass(it, LabError)}
    documented = {int(cells[0]) for cells in rows(text(DOCS / "interface.md")) if cells[0].isdigit()}
    assert documented == raised | {0, 4, 130}


def test_the_controls_are_listed_with_what_they_lack() -> None:
    """Each control, its protections, and mirrors that exist."""
    controls = [cells for cells in rows(text(DOCS / "experiments.md")) if cells[0].startswith("`control-")]
    table = [cells for cells in controls if not cells[1].isdigit()]  # the other table has minutes
    lacks = {it.name: set(it.without) for it in PLANS if it.without and it.name.startswith("control-")}
    assert {quoted(cells[0])[0]: set(quoted(cells[1])) for cells in table} == lacks
    assert {name for cells in table for name in quoted(cells[3])} <= NAMES


def test_the_changelog_has_this_version() -> None:
    """And a place for what comes next, above it."""
    version = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]["version"]
    headings = re.findall(r"^## \[?([^\]\s]+)\]?(?: - (\S+))?$", text(ROOT / "CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == ("Unreleased", "")
    assert headings[1][0] == version and re.fullmatch(r"\d{4}-\d\d-\d\d", headings[1][1])
