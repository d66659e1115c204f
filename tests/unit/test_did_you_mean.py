"""A name that is misspelt is answered with the one that was meant, in one way everywhere."""

import pytest

from lab.analysis.checks.catalogue import CHECKS
from lab.errors import did_you_mean, like

NODES = ("lb1", "web1", "web2")


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("wbe2", NODES, ["web2"]),
        ("WEB2", NODES, ["web2"]),
        ("web3", NODES, ["web1", "web2"]),
        ("router", NODES, []),
        ("at-most", ("at_most", "at_least"), ["at_most"]),
        ("failed-get", CHECKS, ["failed-gets"]),
        ("failed-reads", CHECKS, ["failed-gets", "stale-reads"]),
        ("outage", CHECKS, ["write-outage"]),
        ("--nod", ("--box", "--node"), ["--node"]),
        ("--xyz", ("--box", "--node"), []),
        ("up", ("lab.up", "lab.ssh"), ["lab.up"]),
        ("", NODES, []),
    ],
)
def test_the_likeliest_names_come_first(word: str, known: tuple[str, ...], meant: list[str]) -> None:
    """Names that are as likely are told together: the wrong one of them would be accepted, too."""
    assert like(word, known) == meant


def test_where_nothing_is_near_a_few_names_are_listed_and_many_named_by_their_command() -> None:
    """Nobody reads fifty names in an error."""
    assert did_you_mean("router", NODES, "invoke lab.status") == "one of: lb1, web1, web2"
    assert did_you_mean("xyz", CHECKS, "invoke experiment.checks") == "see all: invoke experiment.checks"
    assert did_you_mean("lost-write", CHECKS, "invoke experiment.checks").startswith("did you mean lost-writes?")
