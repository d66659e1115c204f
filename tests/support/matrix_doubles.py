"""A lab for the matrix whose runs leave a timeline by hand."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from lab import topology
from lab.analysis import matrix_results, run_folder, timeline
from lab.analysis.judgement import Judgement
from lab.analysis.timeline import Entry
from lab.experiment import matrix, own_choices, runner
from lab.experiment.matrix import Row, Setup
from lab.plan.experiment_file import Plan
from tests.support.stories import shipped
from tests.support.timelines import changed, failed, kind, lab, quiet, repeated

LAB = topology.load()
PLANS = shipped(LAB)
EXPECT = [{"check": "failed-gets", "at_most": 0}]
GOOD, BAD = repeated(1, 2, expect=EXPECT), [*repeated(1, 2, expect=EXPECT), failed(5.5)]
INTERRUPTED = changed(GOOD, kind("end"), complete=False, why="interrupted")
BROKEN = [*quiet(expect=EXPECT), lab(9, "broken", why="Locust died\nexit 1")]
HOST = {"cpus": 2, "accelerator": "emulated"}
Story = Sequence[Entry] | BaseException


def result(verdict: str = "pass", **changes: Any) -> dict[str, Any]:
    """A result of web1-freeze, as docs/matrix.jsonl has it."""
    counted = {"requests": 400, "failed": 0, "injections": 10, "injections_hit": 0, "share_below": 0.258866}
    detection = {"injections": 10, "seen": 10, "missed": 0, "median_s": 2.5, "max_s": 4, "bound_s": 4.5}
    return {
        "name": "web1-freeze",
        "date": "2026-11-30 03:00",
        "commit": "c1268a9",
        "fingerprint": "f",
        "host": {"cpus": 2, "accelerator": "emulated"},
        "rounds": 10,
        "seed": 1,
        "took_s": 600,
        "verdict": verdict,
        "versions": {"haproxy": "3.0.11"},
        "reads": {"window": counted, "whole": {**counted, "requests": 9000, "failed": 2, "share_below": None}},
        "detection": {**detection, "allowed_s": 6.75},
        "writes": {"acknowledged": 1, "lost": 0, "duplicated": 0, "unexpected": None, "unknown": 0},
        "why": [],
        **changes,
    }


class Doubles:
    """Plays a story a run: a timeline, or what is raised instead; notes what was asked for."""

    def __init__(self, folder: Path, *stories: Story) -> None:
        self.folder, self.stories = folder, list(stories)
        self.asked: list[tuple[str, int, int, float]] = []
        self.resets = 0
        self.messages: list[str] = []
        self.drawn: list[tuple[str, str]] = []
        self.path = folder / "matrix.jsonl"

    @contextmanager
    def run(self, _lab: object, it: Plan, _roles: object, rounds: int) -> Iterator[Path]:
        """Stands in for runner.run."""
        self.asked.append((it.name, rounds, it.seed, it.measure_s))
        story = self.stories.pop(0)
        if isinstance(story, BaseException):
            raise story
        run = self.folder / f"run-{len(self.asked)}"
        run.mkdir()
        timeline.append(run / run_folder.TIMELINE, story)
        yield run
        (end,) = [entry for entry in story if entry.kind == "end"]
        if end.data["why"] == "interrupted":
            raise KeyboardInterrupt

    def reset(self) -> None:
        """Put the lab back."""
        self.resets += 1

    def draw(self, folder: Path, judgement: Judgement) -> None:
        """Stands in for the page of a run."""
        self.drawn.append((folder.name, judgement.verdict))

    def play(self, rows: Sequence[Row], again: bool = False) -> int:
        """The matrix, as the command does it."""
        todo = matrix.left(rows, [] if again else self.results)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(own_choices, "in_force", lambda *_: nullcontext())
            patch.setattr(runner, "run", self.run)
            patch.setattr(matrix, "reset", lambda *_: self.reset())
            for message in matrix.play(todo, Setup(LAB, {}, HOST, self.path, self.draw)):
                self.messages.append(message)
        return matrix.exit_code(rows, self.results)

    @property
    def results(self) -> list[dict[str, Any]]:
        """All results."""
        return matrix_results.load(self.path)

    @property
    def verdicts(self) -> list[tuple[str, str]]:
        """Name and verdict of each result."""
        return [(it["name"], it["verdict"]) for it in self.results]


def rows(*names: str, rounds: int = 2, times: int = 1) -> list[Row]:
    """Rows of shipped experiments."""
    return matrix.rows(PLANS, ",".join(names), rounds, times)


TWO = ("web1-freeze", "web2-freeze")
