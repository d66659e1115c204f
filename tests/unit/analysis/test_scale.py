"""Each step of a rising load: what was sent, answered, and how fast."""

from typing import Any

import pytest

from lab.analysis.history import History
from lab.analysis.scale import measure, most_per_s
from lab.errors import InfrastructureBroken
from tests.support.scale_stories import PAGES, RATES, story
from tests.support.timelines import changed, kind


def steps() -> list[dict[str, Any]]:
    """Those of the story."""
    found: list[dict[str, Any]] = measure(History(story()), 1)["steps"]
    return found


def test_every_step_has_its_rate_and_what_was_answered() -> None:
    """The quiet time before and after is no step; a step's first two seconds do not count."""
    found = steps()
    assert [it["sent_per_s"] for it in found] == pytest.approx(RATES)
    assert [it["due"] for it in found] == pytest.approx([14 * rate for rate in RATES], abs=1)
    assert [it["answered"] for it in found[:4]] == [it["due"] for it in found[:4]]


def test_the_most_is_what_the_server_can_do() -> None:
    """However much is sent: the others are not answered."""
    found = steps()
    assert most_per_s(found) == pytest.approx(PAGES, rel=0.1)
    assert found[-1]["answered"] < found[-1]["due"] and most_per_s([]) == 0


def test_p95_is_that_of_the_answered_reads() -> None:
    """From when they were due; where nothing was answered there is none."""
    assert [it["p95_s"] for it in steps()] == pytest.approx([0.1, 0.1, 0.1, 1.6, 1.6, 1.6])
    silent = changed(story(), kind("request"), outcome="failed", status=503)
    assert {it["p95_s"] for it in measure(History(silent), 1)["steps"]} == {None}


@pytest.mark.parametrize(
    "late", [{"limited": 11.0}, {"drained": 11.0}, {"code": 1}], ids=["limit too late", "drain too late", "no drain"]
)
def test_a_load_that_rose_too_early_is_no_result(late: dict[str, Any]) -> None:
    """It would be the result of other servers."""
    with pytest.raises(InfrastructureBroken):
        measure(History(story(**late)), 1)


def test_a_server_without_a_limit_is_no_result() -> None:
    """Two were to be limited."""
    with pytest.raises(InfrastructureBroken):
        measure(History(story()), 2)


def test_a_run_that_broke_is_no_result() -> None:
    """The error says why."""
    with pytest.raises(InfrastructureBroken) as caught:
        measure(History(changed(story(), kind("end"), complete=False, why="the load died")), 1)
    assert "the load died" in caught.value.evidence
