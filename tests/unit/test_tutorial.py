"""The tutorial: each step has its parts, its commands are right, its links lead somewhere."""

import re
import subprocess
from pathlib import Path

import pytest

from lab.topology import ROOT
from tests.support.pages.page import Page
from tests.support.pages.shape import ELLIPSIS
from tests.support.pages.typed import mistakes, simple_commands

TUTORIAL = ROOT / "docs" / "tutorial"
INDEX = Page.read(TUTORIAL / "README.md")
STEPS = [Page.read(path) for path in sorted(TUTORIAL.glob("[0-9]*.md"))]
PAGES = [INDEX, *STEPS]
EXERCISES = [Page.read(path) for path in sorted((ROOT / "exercises").glob("*/README.md"))]
OTHERS = [Page.read(path) for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))]
PARTS = ["**The idea:**", "## Do", "## What to look at", "## Question", "\n---\n", "<summary>The answer</summary>"]
LONGEST_MIN = 10
LINK = re.compile(r"\]\(([^)#]+)(?:#[\w-]+)?\)")
# What a student's machine has when the lab is up there: the shell, bootstrap.sh's packages, the environment.
THERE = {"for", "done", "sleep", "source", "grep", "cut", "sort", "uniq", "date", "curl", "dig", "invoke", "locust"}


def name(page: Page) -> str:
    """The name of a page in the list of tests."""
    return page.path.stem


def place(page: Page) -> str:
    """The path of a page, where several have one name."""
    return str(page.path.relative_to(ROOT))


def test_there_are_eight_steps_and_the_index_lists_each_once() -> None:
    """In their order, with their titles and minutes."""
    rows = re.findall(r"^\| \[(.+)\]\((.+)\) \|.*\| (\d+) \|$", INDEX.text, re.MULTILINE)
    titles = [(page.text.splitlines()[0].removeprefix("# "), page.path.name) for page in STEPS]
    assert [(title, file) for title, file, _ in rows] == titles and len(STEPS) == 8
    assert [minutes for *_, minutes in rows] == [re.findall(r"^About (\d+) minutes", it.text, re.M)[0] for it in STEPS]
    assert all(int(minutes) <= LONGEST_MIN for *_, minutes in rows)


@pytest.mark.parametrize("page", STEPS, ids=name)
def test_a_step_has_its_parts_in_their_order(page: Page) -> None:
    """One idea, what to do, what to look at, one question, and its answer folded at the end."""
    places = [page.text.index(part) for part in PARTS]
    assert places == sorted(places) and all(page.text.count(part) == 1 for part in PARTS)
    question = page.text[places[3] : places[4]]
    assert "?" in question
    assert page.text.rstrip().endswith("</details>")
    assert page.blocks


@pytest.mark.parametrize("page", STEPS[:-1], ids=name)
def test_a_step_leads_to_the_next(page: Page) -> None:
    """By its number, title and file."""
    after = STEPS[STEPS.index(page) + 1]
    assert f"[Next: {after.text.splitlines()[0].removeprefix('# ')}]({after.path.name})" in page.text


@pytest.mark.parametrize("page", [it for it in (*OTHERS, *PAGES, *EXERCISES) if it.commands], ids=place)
def test_every_command_is_one_that_there_is(page: Page) -> None:
    """Known tasks, options, nodes, faults and experiments, and a line that bash understands."""
    texts = [command.text for command in page.commands]
    assert [mistake for text in texts for mistake in mistakes(text)] == []
    done = subprocess.run(["bash", "-n"], input="\n".join(texts), capture_output=True, text=True)
    assert done.stderr == ""


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_nothing_is_typed_that_a_student_has_not(page: Page) -> None:
    """No program beyond those that are there."""
    typed = {words[0] for command in page.commands for words in simple_commands(command.text)}
    assert {word for word in typed if not re.match(r"[A-Z]+=", word)} <= THERE


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_an_output_is_one_that_can_be_compared(page: Page) -> None:
    """Every command of a step shows its own, not of ellipses alone; no blank at an end of a line."""
    for command in page.commands:
        assert command.expected is not None or page is INDEX
        assert set(command.expected or ()) != {ELLIPSIS}
    assert re.findall(r"[ \t]+$", page.text, re.MULTILINE) == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Page) -> None:
    """Pages and pictures."""
    links = [it for it in LINK.findall(page.text) if "://" not in it]
    assert links and [it for it in links if not (Path(page.path).parent / it).exists()] == []
