"""What of a page is run, and what is not."""

import re
from pathlib import Path

import pytest

from lab.topology import ROOT
from tests.support.pages.page import Page
from tests.support.pages.skipped import LONG, NEVER, wanted

PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]


def kept(text: str, *, long: bool = False) -> list[str]:
    """The commands of a text that are run."""
    return [it.text for it in wanted(Page(Path("page.md"), text).commands, long=long)]


def test_what_destroys_or_waits_for_somebody_is_never_run() -> None:
    """Not even by the slow tests."""
    text = "```sh\nmake up\ninvoke lab.destroy --host\ninvoke lab.ssh web1\ninvoke lab.status\n```\n"
    assert kept(text) == kept(text, long=True) == ["invoke lab.status"]


def test_what_takes_minutes_is_left_to_the_slow_tests() -> None:
    """An experiment."""
    text = "```console\n$ invoke experiment.run web2-freeze\n...\n$ invoke lab.status\n...\n```\n"
    assert kept(text) == ["invoke lab.status"]
    assert kept(text, long=True) == ["invoke experiment.run web2-freeze", "invoke lab.status"]


def test_what_a_list_changes_is_undone_at_once() -> None:
    """Its lines are to choose from; a page that shows answers is a story, and heals by itself."""
    listed = "    invoke fault.inject freeze web2       # a machine stands still\n    invoke fault.list\n"
    assert kept(listed) == ["invoke fault.inject freeze web2", "invoke fault.heal", "invoke fault.list"]
    assert kept("    invoke lab.down --node web2\n", long=True) == ["invoke lab.down --node web2", "invoke lab.up"]
    told = "```console\n$ invoke fault.inject freeze web2\n...\n$ invoke fault.list\n...\n```\n"
    assert kept(told) == ["invoke fault.inject freeze web2", "invoke fault.list"]


@pytest.mark.parametrize("pattern", [*NEVER, *LONG])
def test_every_exception_is_needed(pattern: str) -> None:
    """One that no page has a command for is a leftover."""
    assert any(re.fullmatch(pattern, command.text) for path in PAGES for command in Page.read(path).commands)
