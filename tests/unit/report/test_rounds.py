"""A run in rounds: each has a name, in the story, in its lane and in a table."""

from lab.analysis.history import History
from lab.analysis.judgement import Judgement
from lab.report.page import page
from lab.report.plots import plots
from lab.report.rounds import results, rounds
from tests.support.report_page import Page, Plots, bars
from tests.support.timelines import T0, failed, lab, quiet, repeated, spell, without, write


def names(history: History) -> list[str]:
    """Of its rounds."""
    return [it.name for it in rounds(history)]


def test_rounds_are_known_by_their_faults() -> None:
    """In runs that did not record how many there were to be."""
    assert names(History(repeated(1, 2, 4))) == ["round 1 of 3", "round 2 of 3", "round 3 of 3"]


def test_a_run_that_recorded_its_rounds_knows_how_many_were_planned() -> None:
    """One that was interrupted had fewer."""
    assert names(History(repeated(1, 2, rounds=10))) == ["round 1 of 10", "round 2 of 10"]


def test_a_story_with_several_faults_has_no_rounds() -> None:
    """Two that differ, one alone, and a story that breaks one thing twice and says that it is none."""
    other = [*quiet(30), *spell([5, 6, 7, 8]), *spell([15, 16, 17, 18], node="web2")]
    assert rounds(History(other)) == rounds(History(quiet())) == rounds(History(repeated(2))) == []
    assert rounds(History(repeated(1, 2, rounds=0))) == []


def test_each_round_has_its_own_numbers() -> None:
    """What failed in it, when HAProxy noticed, when the server served again."""
    run = [*repeated(1, 2, 4), failed(26), failed(26.1), write(47, "x", "unknown")]
    found = results(History(run))
    assert [(it.noticed, it.back) for it in found] == [("1.0 s", "2.0 s"), ("2.0 s", "2.0 s"), ("4.0 s", "2.0 s")]
    assert [it.harm for it in found] == ["", "failed reads: 2", "unknown writes: 1"]


def test_a_round_that_was_not_noticed_says_so() -> None:
    """It has no time."""
    blind = without(repeated(1, 2), lambda it: it.observer == "balancer" and 24 < it.at - T0 < 37)
    assert [it.noticed for it in results(History(blind))] == ["1.0 s", "not seen"]


def test_the_page_names_them() -> None:
    """In a lane, in the table, and those with trouble in the story."""
    shown = Page(page(Judgement.of([*repeated(1, 2), failed(26)], []), "twice"))
    assert bars(shown, "2") == [("round, of 2", 25, 49)]
    assert "Round by round" in shown.lines and "round 1 of 2" in shown.lines
    assert any(it.startswith("In round 2 of 2 ") for it in shown.lines)


def test_commands_between_rounds_bring_the_lab_back() -> None:
    """A round has none of its own."""
    run = [*repeated(1, 2), lab(18, "command", words="db.rejoin web1", began=T0 + 16.5, exit_code=0, output="")]
    assert Plots(plots(History(run))).titles[:2] == ["What was done", "What brought the lab back"]
