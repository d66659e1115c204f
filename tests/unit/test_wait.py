"""Waiting for a condition ends."""

import pytest

from lab.errors import TimedOut
from lab.wait import until


def test_a_condition_that_never_comes_is_told_with_its_last_answer() -> None:
    """What, where, how long, and the way on."""
    with pytest.raises(TimedOut, match="web1: it answers: not within") as caught:
        until("it answers", lambda: "", 0.05, every=0.01, where="web1", evidence=lambda: "silent", hint="look")
    assert "silent" in caught.value.evidence and caught.value.hint == "look"


def test_a_condition_that_comes_is_returned() -> None:
    """At once; what it asked before does not count."""
    answers = iter(["", "", "there"])
    assert until("it answers", lambda: next(answers), 5, every=0.01) == "there"
