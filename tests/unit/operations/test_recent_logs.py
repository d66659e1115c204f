"""invoke lab.logs says of what time its lines are, and with --since-s shows only new ones."""

from datetime import UTC, datetime

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from commands import lab as commands
from lab import topology
from lab.nodes import lifecycle
from lab.nodes.ssh import Answer
from lab.operations import log_times, logs
from lab.topology import Node

LAB = topology.load()
NOON = datetime(2026, 11, 30, 12, 0, 0, tzinfo=UTC).timestamp()
LINES = {
    "nginx's access log": '{"time":"2026-11-30T13:00:00+01:00","client":"192.168.56.10"}',
    "nginx's error log": "2026/11/30 12:00:00 [error] 812#812: *1 connect() failed",
    "PHP": "[30-Nov-2026 12:00:00] WARNING: [pool www] server reached max_children",
    "MySQL": "2026-11-30T12:00:00.000000Z 0 [System] [MY-010931] ready for connections",
}
OUTPUT = f"""{NOON + 30:.0f} +0000
2026-11-30T12:00:20+0000 web1 systemd[1]: Stopped nginx.service
-- /var/log/nginx/error.log
2026/11/30 11:58:00 [error] old
2026/11/30 12:00:10 [error] new
 of two lines
-- /var/log/mysql/error.log
2026-11-30T08:00:00.1Z 0 [System] old
"""
Scripts = list[str]


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Scripts:
    """The scripts that web1 was asked to run; it answers with its logs."""
    asked: Scripts = []

    class Double:
        """The way to a node."""

        def __init__(self, node: Node) -> None:
            self.node = node

        def script(self, text: str, **_: object) -> Answer:
            """Its logs."""
            asked.append(text)
            return Answer(0, OUTPUT, "")

    monkeypatch.setattr(lifecycle, "machines", lambda lab: [Double(lab.node("web1"))])
    return asked


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_each_service_writes_its_time_in_its_own_way(line: str) -> None:
    """They are all the same moment."""
    assert log_times.written(line) == NOON


def test_a_node_has_a_time_zone() -> None:
    """nginx and PHP write local time."""
    assert log_times.written(LINES["PHP"], "+0200") == NOON - 7200


def test_a_time_that_is_none_is_part_of_the_line_before() -> None:
    """No line of a log ends the command."""
    assert log_times.written("2026/99/99 12:00:00 what") is None
    lines = ["2026/11/30 11:00:00 a", "2026/11/30 12:00:00 b", "no time", "2026/99/99 12:00:00 c"]
    assert list(log_times.since(lines, NOON)) == lines[1:]


def test_only_what_is_new_is_shown(scripts: Scripts) -> None:
    """By the clock of the node; a file without new lines is left out."""
    text = logs.collect(LAB, lines=5, since_s=60)
    assert "new" in text and "of two lines" in text and "Stopped nginx" in text
    assert "old" not in text and "mysql/error.log" not in text
    assert "of the last 60 s" in text.splitlines()[0] and "--since -60s" in scripts[0]


def test_without_it_the_first_line_says_that_older_lines_are_there(scripts: Scripts) -> None:
    """Nobody takes what was before for what happens now."""
    text = logs.collect(LAB, lines=5)
    assert "since the machine started" in text.splitlines()[0] and "old" in text
    assert "--since" not in scripts[0]


def test_numbers_that_show_nothing_are_refused_together() -> None:
    """Exit code 2, and no node is asked."""
    with pytest.raises(Exit) as ending:
        commands.logs(Context(), lines=0, since_s=-5)
    assert ending.value.code == 2
    assert "--lines" in str(ending.value.message) and "--since-s" in str(ending.value.message)
