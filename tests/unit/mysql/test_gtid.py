"""GTID sets: which transactions one server has and another one lacks."""

import pytest

from lab.mysql import gtid

A = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
B = "4e11fa47-71ca-11e1-9e33-c80aa9429562"


@pytest.mark.parametrize(
    ("inner", "outer", "expected"),
    [
        ("", "", True),
        ("", f"{A}:1-5", True),
        (f"{A}:1-5", f"{A}:1-5", True),
        (f"{A}:2-3:5", f"{A}:1-5", True),
        (f"{A}:1-6", f"{A}:1-5", False),
        (f"{A}:1-5", f"{A}:1-2:4-5", False),
        (f"{A}:1-5,{B}:1", f"{A}:1-9", False),
        (f"{A.upper()}:1-5", f"{A}:1-5", True),
        (f"{A}:1-5:tag:1-2", f"{A}:1-5", False),
        (f"{A}:1-5:tag:1-2", f"{A}:1-9:tag:1-3", True),
    ],
)
def test_subset(inner: str, outer: str, expected: bool) -> None:
    """A set is a subset only if every interval, source and tag is covered."""
    assert gtid.subset(inner, outer) is expected


def test_difference_counts_transactions() -> None:
    """The missing transactions are counted."""
    assert gtid.count(gtid.minus(f"{A}:1-10,\n{B}:1-3", f"{A}:3-4:9")) == 7 + 3


def test_a_difference_is_written_as_mysql_writes_it() -> None:
    """Single transactions, intervals, several servers, tags: it can be read again."""
    difference = gtid.minus(f"{A}:1-10:20,{B}:tag:1-3", f"{A}:3-9")
    assert gtid.text(difference) == f"{A}:1-2:10:20,{B}:tag:1-3"
    assert gtid.parse(gtid.text(difference)) == difference


def test_neighbours_become_one_interval() -> None:
    """Thousands of single transactions stay a short argument."""
    assert gtid.joined([f"{A}:3", f"{A}:1", f"{A}:2", f"{B}:7", f"{A}:9"]) == f"{A}:1-3:9,{B}:7"
    assert gtid.joined([]) == ""
