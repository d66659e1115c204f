"""Progress lines: seconds, node, step; plain wherever nothing is a terminal."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab import progress

LINE = re.compile(r" *\d+\.\ds  (\S+) +(.*)")


@pytest.fixture(autouse=True)
def unlisted() -> Iterator[None]:
    """Each test is a command of its own."""
    yield
    progress.list_changes(False)


def test_a_step_that_goes_on_says_how_long_in_whole_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    """Also where its limit is none."""
    progress.still("web1", "still waiting: every step is done", time.monotonic() - 10.2, 700.011)
    progress.still("web1", "installs", time.monotonic() - 20.2)
    shown = capsys.readouterr().err
    assert "(10 of 700 s)\n" in shown and "installs (20 s)\n" in shown


def test_what_a_node_wrote_can_not_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    """Colours, carriage returns and bells of its programs are left out, line ends stay."""
    progress.say("web1", "\x1b[1;31mred\x1b[0m\r50 %\x07\tdone\nnext line")
    (line, rest) = capsys.readouterr().err.splitlines()
    matched = LINE.fullmatch(line)
    assert matched and matched[2].split() == ["red", "50", "%", "done"] and rest == "next line"


def test_several_nodes_report_at_the_same_time(capsys: pytest.CaptureFixture[str]) -> None:
    """No line is torn."""

    def report(name: str) -> None:
        for _ in range(200):
            progress.say(name, "x" * 50)

    with progress.display(["lb1", "web1", "web2"], "is asked"), ThreadPoolExecutor(3) as pool:
        list(pool.map(report, ("lb1", "web1", "web2")))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 600 and all(LINE.fullmatch(line) for line in lines)


def test_changes_are_listed_only_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    """Their number is enough for most."""
    progress.change("web1", "file /etc/a")
    assert capsys.readouterr().err == ""
    progress.list_changes(True)
    progress.change("web1", "file /etc/a")
    assert "file /etc/a" in capsys.readouterr().err
