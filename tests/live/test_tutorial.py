"""What README and tutorial tell to type is typed on the real lab, and what comes has the shape of what they show.

UPDATE_TUTORIAL=1 writes what came into the pages instead: their outputs are never typed by hand.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pytest

from lab.errors import TimedOut
from lab.faults import ledger
from lab.state import choices
from lab.topology import ROOT, Lab
from lab.wait import until
from tests.live.conftest import RESET_S, must, primary, wrong
from tests.support.pages import session, skipped
from tests.support.pages.page import Page
from tests.support.pages.shape import shortened

pytestmark = pytest.mark.live
UPDATE = os.environ.get("UPDATE_TUTORIAL") == "1"
TUTORIAL = ROOT / "docs" / "tutorial"
STEPS = {path.name[:2]: path for path in sorted(TUTORIAL.glob("[0-9]*.md"))}
# The index is the page without a number; the last two steps belong together.
SHORT = [(), ("01", "02"), ("03",), ("04",), ("06",), ("07", "08")]
PATIENCE_S = 900.0


@pytest.fixture
def as_found(roles: Lab) -> Iterator[Lab]:
    """The lab, with web1 as primary, no fault and the same choices after the test as before it."""
    before = choices.load()
    yield roles
    if ledger.entries() or choices.load() != before:
        must("lab.reset", timeout=RESET_S)


def play(paths: Sequence[Path], folder: Path, *, long: bool = False) -> None:
    """Type what the pages tell to, in one shell; write what came into them, or compare it."""
    pages = [Page.read(path) for path in paths]
    wanted = [skipped.wanted(page.commands, long=long) for page in pages]
    done = session.run([it for commands in wanted for it in commands], folder, PATIENCE_S)
    trouble = [it for it in done if (it.failed if UPDATE else it.trouble)]
    assert trouble == [], "\n\n".join(it.trouble for it in trouble)
    rest = iter(done)
    for page, commands in zip(pages, wanted, strict=True):
        came = list(islice(rest, len(commands)))
        if UPDATE:
            page.path.write_text(page.with_outputs(shown(came)), encoding="utf-8")


def shown(done: Sequence[session.Done]) -> dict[int, list[str]]:
    """What came, as short as what the page showed of it, by the lines of the commands."""
    return {it.command.line: shortened(it.command.expected or (), it.answer) for it in done}


def left(lab: Lab) -> list[str]:
    """What the pages left behind, in words."""
    roles = [] if primary(lab) == "web1" else [f"{primary(lab)} is the primary"]
    return [*wrong(lab), *roles, *(f"{it['id']} is active" for it in ledger.entries())]


def must_be_as_found(lab: Lab) -> None:
    """A page undoes by itself what it did, to the next reader's advantage; databases may need a moment."""
    try:
        until("the pages leave the lab as it was", lambda: not left(lab), 30, every=2)
    except TimedOut:
        assert left(lab) == []


@pytest.mark.parametrize("numbers", SHORT, ids="-".join)
def test_a_step_shows_what_happens(as_found: Lab, tmp_path: Path, numbers: Sequence[str]) -> None:
    """What stands below its commands, and the lab as it was before."""
    play([STEPS[it] for it in numbers] or [TUTORIAL / "README.md"], tmp_path, long=True)
    must_be_as_found(as_found)


@pytest.mark.slow
def test_the_step_with_load_shows_what_happens(as_found: Lab, tmp_path: Path) -> None:
    """Locust and an experiment: some minutes."""
    play([STEPS["05"]], tmp_path, long=True)
    must_be_as_found(as_found)


def test_what_the_readme_tells_to_type_works(as_found: Lab, tmp_path: Path) -> None:
    """All but what tests/support/pages/skipped.py leaves out, with the reasons."""
    play([ROOT / "README.md"], tmp_path)
    must_be_as_found(as_found)


@pytest.mark.slow
def test_all_that_the_readme_tells_to_type_works(as_found: Lab, tmp_path: Path) -> None:
    """With the commands that take long."""
    play([ROOT / "README.md"], tmp_path, long=True)
    must_be_as_found(as_found)
