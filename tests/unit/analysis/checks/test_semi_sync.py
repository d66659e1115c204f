"""Which losses MySQL had announced: a write at 10 s is lost, and semi-sync was observed at some moments."""

import pytest

from lab.analysis.checks.catalogue import judge
from lab.analysis.history import History
from lab.analysis.timeline import Entry
from tests.support.timelines import database, final, run, write

ON, OFF = True, False


def looks(web1: dict[float, bool], web2: dict[float, bool]) -> list[Entry]:
    """The observations of each server while it was primary."""
    return [
        database(at, node, writable=True, semi_sync=on)
        for node, seen in (("web1", web1), ("web2", web2))
        for at, on in seen.items()
    ]


@pytest.mark.parametrize(
    ("web1", "web2", "verdict"),
    [
        ({9: OFF, 11: OFF}, {}, "pass"),
        ({9: ON, 11: OFF}, {}, "pass"),
        ({9: OFF, 11: ON}, {}, "pass"),
        ({9: OFF}, {}, "pass"),
        ({9: ON, 11: ON}, {}, "fail"),
        ({9: ON}, {11: OFF}, "fail"),
        ({9: ON}, {}, "fail"),
        ({4: OFF}, {}, "fail"),
    ],
    ids=[
        "it was off",
        "it went off meanwhile",
        "it came back meanwhile",
        "then nobody saw it again",
        "it waited",
        "only the next primary was off",
        "nobody saw that it went off",
        "that was long before",
    ],
)
def test_a_loss_is_announced_where_the_same_primary_was_seen_off_around_it(
    web1: dict[float, bool], web2: dict[float, bool], verdict: str
) -> None:
    """The state of the next primary does not excuse the previous one."""
    ends = [final("web1", {}), final("web2", {})]
    entries = [run(), *looks(web1, web2), write(10, "a"), *ends]
    (check,) = judge(History(entries), [{"check": "lost-while-semi-sync-on", "at_most": 0}])
    assert check.verdict == verdict, check.detail
