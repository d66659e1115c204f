"""How busy the load client was, shown wherever a run is reported: a number of requests says little without it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.analysis import matrix_results, run_folder, timeline
from lab.analysis.judgement import Judgement
from lab.analysis.timeline import Entry
from lab.experiment.load import Running
from lab.report.caveats import limits
from lab.report.page import write
from lab.report.terminal import terminal
from tests.support.report_page import facts
from tests.support.timelines import changed, kind, quiet, without


def used(cpu: float | None, processes: int = 1) -> list[Entry]:
    """A run whose generator reported that use."""
    load = {"rate": 20, "write_share": 0.2, "processes": processes}
    return changed(quiet(load=load, expect=[]), kind("generator"), cpu=cpu)


def running(record: Path) -> Running:
    """A load that ran and wrote its record there."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return Running(process, record, record / "log")


@pytest.mark.parametrize(
    ("entries", "numbers", "words"),
    [
        (used(0.2), "20", ""),
        (used(0.9), "90", "too busy"),
        (used(0.5, 2), "2 50", ""),
        (used(0.9, 2), "2 90", "too busy"),
        (used(None), "", "not known"),
        (without(quiet(), kind("generator")), "", "not known"),
    ],
    ids=["idle", "busy", "two idle", "two busy", "said nothing", "killed"],
)
def test_terminal_and_page_say_the_same(entries: list[Entry], numbers: str, words: str) -> None:
    """Also if it is not known."""
    judgement = Judgement.of(entries, [])
    line = terminal(judgement).splitlines()[-1]
    assert line in limits(judgement.history, judgement.summary)
    assert (facts(line), [it for it in ("too busy", "not known") if it in line]) == (numbers, [words] if words else [])


@pytest.mark.parametrize(("share", "doubted"), [(0.01, False), (0.95, True), (None, None)])
@pytest.mark.parametrize(
    ("name", "advice"), [("busy", "lower load.rate"), ("other_programs", "close them"), ("stolen", "less busy")]
)
def test_a_hosting_machine_that_slows_the_lab_is_told(
    name: str, advice: str, share: float | None, doubted: bool | None
) -> None:
    """A run of before it was counted, and a system that does not tell, say nothing."""
    before = Judgement.of(quiet(expect=[]), [])
    judgement = Judgement.of(changed(quiet(expect=[]), kind("generator"), **{name: share}), [])
    lines = [it for it in terminal(judgement).splitlines() if it not in terminal(before).splitlines()]
    assert set(lines) <= set(limits(judgement.history, judgement.summary))
    assert [(advice in it) for it in lines] == ([] if doubted is None else [doubted])


def test_an_interrupted_run_says_so_first() -> None:
    """Its checks judge only what was seen."""
    ended = changed(quiet(expect=[]), kind("end"), complete=False, why="interrupted")
    assert "interrupted" in terminal(Judgement.of(ended, [])).splitlines()[0]
    assert "interrupted" not in terminal(Judgement.of(quiet(expect=[]), [])).splitlines()[0]


@pytest.mark.parametrize("cpu", [0.2, None])
def test_scripts_and_the_matrix_read_it(tmp_path: Path, cpu: float | None) -> None:
    """A run without it still gets its page."""
    timeline.append(tmp_path / run_folder.TIMELINE, used(cpu))
    judgement = Judgement.of(run_folder.read(tmp_path))
    write(tmp_path, judgement)
    assert json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))["generator"] == {"cpu": cpu}
    assert matrix_results.of_run(judgement, "run", {"name": "quiet"})["generator"] == {"cpu": cpu}


@pytest.mark.parametrize(
    ("reported", "cpu"),
    [
        ([(6.0, 10.0)], 0.6),
        ([(6.0, 10.0), (7.0, 10.0)], 0.7),
        ([(5.0, 10.0), (4.5, 5.0)], 0.9),
        ([(0.0, 0.0)], None),
        ([], None),
    ],
    ids=["one", "two", "one came later", "one that never ran", "none"],
)
def test_a_process_has_a_core_of_its_own(
    tmp_path: Path, reported: list[tuple[float, float]], cpu: float | None
) -> None:
    """The busiest one counts: two that use 60 % and 70 % are not one that is overloaded."""
    for number, (cpu_s, wall_s) in enumerate(reported):
        figures: dict[str, Any] = {"cpu_s": cpu_s, "wall_s": wall_s}
        (tmp_path / f"generator-{number}.json").write_text(json.dumps(figures), encoding="utf-8")
    assert running(tmp_path).cpu() == cpu
