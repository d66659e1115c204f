"""The final content of every database: tokens, the rows of each, and whether the body is the load's."""

from typing import Any

import pytest

from lab.errors import CommandFailed
from lab.experiment import final_reads
from lab.nodes.ssh import Answer
from lab.topology import Node
from loadtests import content
from tests.support.pairs import OPEN, REPLICA, WEB1, WEB2

TOKEN = "0123456789abcdef"


class Double:
    """A database that answers with these rows; None if it can't be read."""

    def __init__(self, node: Node, rows: str | None) -> None:
        self.node, self.rows, self.asked = node, rows, ""

    def run(self, text: str, **_: object) -> Answer:
        """The answer with its notes."""
        self.asked = text
        if self.rows is None:
            raise CommandFailed(self.node.name, text, 1, "")
        return Answer(0, self.rows, "")


def machines(web1: str | None, web2: str | None) -> Any:
    """Both databases."""
    return [Double(WEB1, web1), Double(WEB2, web2)]


@pytest.fixture(autouse=True)
def sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The GTID sets that both have executed."""
    monkeypatch.setattr(final_reads, "databases_of", lambda machines: {"web1": OPEN, "web2": REPLICA})


def test_a_note_with_another_body_is_told_by_its_token() -> None:
    """In each database; notes from before the run do not count, nor do their bodies."""
    read = final_reads.read(machines("a\t1\t0\nb\t2\t1\nold\t1\t1\n", "a\t1\t0\n"), {"old"})
    assert [(it["node"], it["tokens"], it["altered"]) for it in read] == [
        ("web1", {"a": 1, "b": 2}, ["b"]),
        ("web2", {"a": 1}, []),
    ]


def test_a_database_that_can_not_be_read_is_left_out() -> None:
    """So that it is not taken for an empty one."""
    read = final_reads.read(machines(None, "a\t1\t0\n"), set())
    assert [it["node"] for it in read] == ["web2"]
    assert final_reads.tokens(machines(None, "a\t1\t0\n")) == {"a"}


def test_the_body_that_is_asked_for_is_the_one_that_the_load_writes() -> None:
    """The query has it in SQL, the load in Python."""
    (one, _) = asked = machines("", "")
    final_reads.tokens(asked)
    before, after = content.body(TOKEN).split(TOKEN[:8])
    assert f"SUM(body <> CONCAT('{before}', LEFT(token, 8)))" in one.asked and after == ""
