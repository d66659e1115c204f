"""What brought the lab back after an experiment: told, drawn, and kept apart from the experiment itself."""

from collections.abc import Sequence
from typing import Any

from lab.analysis.history import History
from lab.analysis.judgement import Judgement
from lab.analysis.timeline import Entry
from lab.report.events import events
from lab.report.narrative import sentences
from lab.report.plots import plots
from tests.support.report_page import Plots, bars
from tests.support.timelines import T0, lab, switched_off

OLD = ("began",)  # a key that runs of earlier versions do not have


def command(words: str, began: float, ended: float, exit_code: int = 0) -> Entry:
    """One that ran."""
    return lab(ended, "command", words=words, began=T0 + began, exit_code=exit_code, output="")


def promoted(**changes: Any) -> list[Entry]:
    """web2 is promoted in the experiment, which is over at 30 s; then web1 becomes primary again."""
    back = [command("db.rejoin web1", 30.5, 31), command("db.promote web1", 32, 33)]
    return switched_off(command("db.promote web2", 7, 11), *back, **changes)


def shown(entries: Sequence[Entry]) -> Plots:
    """The plots of it."""
    return Plots(plots(History(entries)))


def told(entries: Sequence[Entry]) -> list[str]:
    """The story of it."""
    judgement = Judgement.of(entries, [])
    return sentences(judgement.history, judgement.summary)


def test_commands_of_the_experiment_and_of_the_way_back_have_panels_of_their_own() -> None:
    """Each is a bar as long as it took."""
    found = shown(promoted())
    assert found.titles[:2] == ["What was done", "What brought the lab back"]
    assert bars(found, "done") == [
        ("db.promote web2", 7, 11),
        ("db.rejoin web1", 30.5, 31),
        ("db.promote web1", 32, 33),
    ]


def test_the_story_tells_them_apart() -> None:
    """When the promotion began and how long it took; in the end what brought the lab back."""
    story = told(promoted())
    assert story[1] == "The command db.promote web2 began at 7.0 s and took 4.0 s."
    assert story[-1].endswith(": db.rejoin web1, db.promote web1.")


def test_a_run_of_an_earlier_version_is_told_by_when_its_commands_ended() -> None:
    """It did not record when they began: a moment in the lane, no bar."""
    old = [Entry(it.at, it.observer, it.kind, {k: v for k, v in it.data.items() if k not in OLD}) for it in promoted()]
    found = shown(old)
    assert found.titles[:2] == ["What was done", "What brought the lab back"]
    assert bars(found, "done") == []
    assert "The command db.promote web2 ended at 11.0 s." in told(old)


def test_a_converge_that_opened_the_primary_again_is_shown() -> None:
    """Else nobody would know what ended the outage of the writes."""
    run = switched_off(lab(32, "recovery", words="lab.provision", began=T0 + 30.5))
    assert bars(shown(run), "done") == [("lab.provision", 30.5, 32)]
    assert told(run)[-1].endswith(": lab.provision.")


def test_a_command_that_failed_says_so() -> None:
    """In the story, and in its lane."""
    run = switched_off(command("db.promote web2", 8, 11, exit_code=1))
    assert "failed (exit code 1)" in told(run)[1]
    assert bars(shown(run), "failed (1)") == [("db.promote web2", 8, 11)]


def test_services_that_stopped_have_lanes() -> None:
    """Those that ran all the time have none; a frozen one is told from one that is gone."""

    def look(at: float, nginx: str, mysql: str) -> Entry:
        return Entry(
            T0 + at,
            "service",
            "services",
            {"node": "web1", "services": {"nginx": nginx, "mysql": mysql, "php": "active"}},
        )

    looks = [
        look(at, "inactive" if 5 <= at < 9 else "active", "stopped" if 7 <= at < 9 else "active") for at in range(34)
    ]
    found = shown(switched_off(*looks))
    assert "Services that stopped" in found.titles
    assert bars(found, "not running") == [("■ web1 nginx", 5, 9)]
    assert bars(found, "frozen") == [("■ web1 mysql", 7, 9)]
    assert not [name for trace in found.figure["data"] for name in trace.get("y", ()) if str(name).endswith("php")]


def test_the_events_say_in_words_what_the_plots_show() -> None:
    """In order, with who saw each: for readers without JavaScript, on paper, or with a screen reader."""
    found = [it.words for it in events(History(promoted()))]
    order = [
        "web1 lost its power (web1-power-off)",
        "db.promote web2 begins",
        "web1: DOWN",
        "db.promote web2 is done",
        "web1: UP",
    ]
    assert [it for it in found if it in order] == order
