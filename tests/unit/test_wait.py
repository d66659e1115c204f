"""Waiting for a condition ends."""

import pytest

from lab.errors import TimedOut
from lab.wait import pause, until, working


def test_a_condition_that_never_comes_is_told_with_its_last_answer() -> None:
    """What, where, how long, and the way on."""
    with pytest.raises(TimedOut, match="web1: it answers: not within") as caught:
        until("it answers", lambda: "", 0.05, every=0.01, where="web1", evidence=lambda: "silent", hint="look")
    assert "silent" in caught.value.evidence and caught.value.hint == "look"


def test_a_condition_that_comes_is_returned() -> None:
    """At once; what it asked before does not count."""
    answers = iter(["", "", "there"])
    assert until("it answers", lambda: next(answers), 5, every=0.01) == "there"


def test_long_work_is_not_silent(capsys: pytest.CaptureFixture[str]) -> None:
    """As long as it lasts, and no longer."""
    with working("report", "still judges a run", every=0.05):
        pause(0.3)
    output = capsys.readouterr().err
    pause(0.2)
    assert output.count("still judges a run") >= 2 and capsys.readouterr().err == ""
