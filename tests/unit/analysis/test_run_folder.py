"""The folders of runs."""

import json
from pathlib import Path
from typing import Any

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from commands import experiment
from lab.analysis import run_folder, timeline
from lab.analysis.history import History
from lab.analysis.timeline import Entry
from lab.errors import BadInput
from tests.support.timelines import quiet, without

WORDS: dict[str, Any] = {
    "expect": [{"check": "failed-gets", "at_most": 0}, {"check": "arrival-rate", "at_least": 0.98}],
    "load": {"rate": 20, "write_share": 0.2},
}


def reported(run: Path) -> None:
    """Let a run of this folder have a report."""
    run.mkdir(exist_ok=True)
    for name in (run_folder.TIMELINE, run_folder.REPORT):
        (run / name).touch()
    run_folder.link_latest(run, run.parent)


def test_the_latest_run_is_found_by_that_word(tmp_path: Path) -> None:
    """And by its name, and by its path."""
    first, second = tmp_path / "20260101T000000Z-control", tmp_path / "20260102T000000Z-web2-freeze"
    reported(first)
    reported(second)
    assert run_folder.find(run_folder.LATEST, tmp_path) == second.resolve()
    assert run_folder.find(first.name, tmp_path) == run_folder.find(str(first), tmp_path) == first.resolve()


def test_a_run_that_goes_on_or_was_killed_is_not_the_latest(tmp_path: Path) -> None:
    """It has no report to open; nor is an old run that is judged again, or a copy somewhere else."""
    first, second = tmp_path / "20260101T000000Z-control", tmp_path / "20260102T000000Z-control"
    reported(first)
    reported(second)
    (run_folder.make("web2-freeze", tmp_path) / run_folder.TIMELINE).touch()
    reported(first)
    run_folder.link_latest(tmp_path / "copies" / "20270101T000000Z-control", tmp_path)
    assert run_folder.find(run_folder.LATEST, tmp_path) == second.resolve()


def test_where_no_run_has_a_report_the_hint_is_a_run(tmp_path: Path) -> None:
    """'latest' does not exist then."""
    (run_folder.make("control", tmp_path) / run_folder.TIMELINE).touch()
    with pytest.raises(BadInput) as caught:
        run_folder.find(run_folder.LATEST, tmp_path)
    assert caught.value.hint.endswith("Z-control")


def test_an_unknown_run_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    """The newest first; if there is none, the command that makes one."""
    with pytest.raises(BadInput) as caught:
        run_folder.find("web9", tmp_path)
    assert "experiment.run control" in caught.value.hint
    (run_folder.make("control", tmp_path) / run_folder.TIMELINE).touch()
    with pytest.raises(BadInput) as caught:
        run_folder.find("web9", tmp_path)
    assert "-control" in caught.value.what


def test_a_run_is_found_by_the_name_of_its_experiment(tmp_path: Path) -> None:
    """People remember that, not the second in which the run began."""
    for name in ("20260101T000000Z-web2-freeze", "20260102T000000Z-web2-freeze", "20260103T000000Z-control"):
        (tmp_path / name).mkdir()
        (tmp_path / name / run_folder.TIMELINE).touch()
    for word in ("web2-freeze", "web2-frezee", "runs/web2-freeze"):
        with pytest.raises(BadInput, match=r"20260102T000000Z-web2-freeze"):
            run_folder.find(word, tmp_path)


@pytest.mark.parametrize("taken_in", [0, 50], ids=["", "killed while it took them in"])
def test_a_killed_run_is_judged_with_what_its_load_recorded(tmp_path: Path, taken_in: int) -> None:
    """Each request counts once; the run still proves nothing, and the timeline is not changed."""
    asked = [it for it in quiet(**WORDS) if it.observer == "client"]
    rest = without(quiet(**WORDS), lambda it: it.observer == "client" or it.kind in ("end", "generator", "final"))
    record = tmp_path / run_folder.RECORD / "requests-0.jsonl"
    record.parent.mkdir()
    record.write_text("".join(it.line() for it in asked), encoding="ascii")
    timeline.append(tmp_path / run_folder.TIMELINE, [*rest, *asked[:taken_in]])
    before = (tmp_path / run_folder.TIMELINE).read_bytes()
    with pytest.raises(Exit) as ending:
        experiment.report_(Context(), str(tmp_path))
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert (ending.value.code, summary["verdict"]) == (4, "inconclusive")
    assert summary["requests"]["GET"] == {"ok": 320, "failed": 0, "unknown": 0}
    assert summary["writes"]["acknowledged"] == 80
    assert [it["verdict"] for it in summary["checks"]] == ["pass", "inconclusive"]
    assert "of 320 reads 0 failed" in (tmp_path / "report.html").read_text(encoding="utf-8").lower()
    assert (tmp_path / run_folder.TIMELINE).read_bytes() == before


def test_a_run_that_was_closed_is_judged_by_its_timeline_alone(tmp_path: Path) -> None:
    """It has added the records; their folder may be deleted, or belong to another run."""
    timeline.append(tmp_path / run_folder.TIMELINE, quiet(**WORDS))
    (tmp_path / run_folder.RECORD).mkdir()
    (tmp_path / run_folder.RECORD / "requests-0.jsonl").write_text("no record\n\n", encoding="ascii")
    with pytest.raises(Exit) as ending:
        experiment.report_(Context(), str(tmp_path))
    assert ending.value.code == 0


@pytest.mark.parametrize("other", [0, 1, 4])
def test_a_run_of_another_version_is_refused(tmp_path: Path, other: int) -> None:
    """Exit code 2, the format and what to do; nothing is judged or drawn from keys that may differ in meaning."""
    timeline.append(tmp_path / run_folder.TIMELINE, quiet(format=other))
    with pytest.raises(Exit) as ending:
        experiment.report_(Context(), str(tmp_path))
    assert ending.value.code == 2
    assert f"has format {other}, this version of the lab reads formats 2 and 3" in str(ending.value.message)
    assert [it.name for it in tmp_path.iterdir() if it.is_file()] == [run_folder.TIMELINE]


def test_a_run_that_does_not_say_its_format_is_refused(tmp_path: Path) -> None:
    """The first version of the lab wrote none; a run killed before it wrote one counts as this version's."""
    silent = [Entry(it.at, it.observer, it.kind, {k: v for k, v in it.data.items() if k != "format"}) for it in quiet()]
    timeline.append(tmp_path / run_folder.TIMELINE, silent)
    with pytest.raises(BadInput, match="has format 0"):
        run_folder.read(tmp_path)
    (tmp_path / run_folder.TIMELINE).unlink()
    timeline.append(tmp_path / run_folder.TIMELINE, without(silent, lambda it: it.kind == "run"))
    assert run_folder.read(tmp_path)


def test_a_run_of_format_2_is_judged_as_one_of_this_version(tmp_path: Path) -> None:
    """It named the observer `eye`; nothing else differs."""
    verdicts = []
    for name, number in (("today", run_folder.FORMAT), ("before", 2)):
        folder = run_folder.make(name, tmp_path)
        timeline.append(folder / run_folder.TIMELINE, quiet(format=number, **WORDS))
        if number == 2:
            text = (folder / run_folder.TIMELINE).read_text(encoding="utf-8").replace('"observer":', '"eye":')
            (folder / run_folder.TIMELINE).write_text(text, encoding="utf-8")
        with pytest.raises(Exit) as ending:
            experiment.report_(Context(), str(folder))
        verdicts.append((ending.value.code, json.loads((folder / "summary.json").read_text(encoding="utf-8"))))
    assert '"eye": "client"' in text and '"observer"' not in text
    assert verdicts[0] == verdicts[1] and verdicts[0][0] == 0


def test_a_run_of_this_version_is_read(tmp_path: Path) -> None:
    """Whatever else it lacks."""
    timeline.append(tmp_path / run_folder.TIMELINE, quiet(format=run_folder.FORMAT))
    assert History(run_folder.read(tmp_path)).run["name"] == "quiet"
