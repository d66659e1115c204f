"""experiment.scale measures one number of servers after the other. Runs are doubles that write a timeline."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from lab import topology
from lab.analysis import matrix_results, run_folder, timeline
from lab.analysis.timeline import Entry
from lab.errors import InfrastructureBroken
from lab.experiment import own_choices, runner, scale
from lab.experiment.scale import Setup
from lab.plan.experiment_file import Plan
from lab.plan.scale import ramps
from lab.state import choices
from lab.state.choices import Choices
from tests.support.scale_stories import story
from tests.support.timelines import changed, kind, spell

LAB = topology.load(topology.ROOT / "docs" / "topologies" / "three.yml")
BOTH = [*story(), *spell([0, 3, 120, 121], "web2", "php-limit")]
INTERRUPTED = changed(BOTH, kind("end"), complete=False, why="interrupted")


class Runs:
    """Stands in for runner.run: each run writes the next story, and an interrupted one ends with Ctrl-C."""

    def __init__(self, folder: Path, *stories: Sequence[Entry]) -> None:
        self.folder, self.stories, self.plans = folder, list(stories), list[str]()

    @contextmanager
    def run(self, _lab: object, plan: Plan, _roles: object) -> Iterator[Path]:
        """One run."""
        told = self.stories.pop(0)
        self.plans.append(plan.name)
        folder = self.folder / f"run-{len(self.plans)}"
        folder.mkdir()
        timeline.append(folder / run_folder.TIMELINE, told)
        yield folder
        if told is INTERRUPTED:
            raise KeyboardInterrupt

    def saved(self) -> list[str]:
        """The names of the saved results."""
        return [it["name"] for it in matrix_results.load(self.folder / "results.jsonl")]

    def play(self) -> list[scale.Result]:
        """Measure both numbers of servers."""
        setup = Setup(LAB, {}, {"cpus": 2}, self.folder / "results.jsonl", lambda *_: None)
        return list(scale.play(ramps(LAB, "", 6), setup))


@pytest.fixture(autouse=True)
def quiet_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    """No node is reached, the user has no choices."""
    monkeypatch.setattr(own_choices, "in_force", lambda *_: nullcontext())
    monkeypatch.setattr(choices, "load", Choices)


def runs(monkeypatch: pytest.MonkeyPatch, folder: Path, *stories: Sequence[Entry]) -> Runs:
    """These runs, in their order."""
    made = Runs(folder, *stories)
    monkeypatch.setattr(runner, "run", made.run)
    return made


def test_each_number_of_servers_leaves_a_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With its servers, its limit and its run."""
    it = runs(monkeypatch, tmp_path, story(), BOTH)
    one, two = it.play()
    assert it.plans == it.saved() == ["scale-1", "scale-2"]
    assert (one["servers"], two["servers"]) == (["web1"], ["web1", "web2"])
    assert (two["pages_per_s"], two["run"], len(two["steps"])) == (6, "run-2", 6)


def test_an_interruption_keeps_what_is_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The number of servers that was measured when it came has no result."""
    it = runs(monkeypatch, tmp_path, story(), INTERRUPTED)
    with pytest.raises(KeyboardInterrupt):
        it.play()
    assert it.saved() == ["scale-1"]


def test_a_run_that_broke_is_no_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And ends the command with an error."""
    it = runs(monkeypatch, tmp_path, changed(story(), kind("end"), complete=False, why="the load died"))
    with pytest.raises(InfrastructureBroken):
        it.play()
    assert it.saved() == []


def test_another_limit_or_choice_is_another_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its results are not mixed with others."""
    code = scale.fingerprint(6)
    assert scale.fingerprint(8) != code == scale.fingerprint(6)
    monkeypatch.setattr(choices, "load", lambda: Choices(algorithm="leastconn"))
    assert scale.fingerprint(6) != code
