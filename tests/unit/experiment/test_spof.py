"""experiment.spof measures component by component and can be continued. Runs are doubles that write a timeline."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from lab import topology
from lab.analysis import run_folder, timeline
from lab.analysis.judgement import Judgement
from lab.analysis.spof import SINGLE, SURVIVED, Try
from lab.analysis.timeline import Entry
from lab.errors import InfrastructureBroken, LabNotUp, Unreachable
from lab.experiment import lookups, own_choices, runner, spof
from lab.experiment.spof import Setup
from lab.nodes import name_server
from lab.operations import converge
from lab.plan.experiment_file import Plan
from lab.plan.spof import chosen, unmeasured
from lab.state import choices
from lab.state.choices import Choices
from lab.topology import Lab
from tests.support import spof_stories
from tests.support.spof_stories import story
from tests.support.timelines import changed, kind

LAB = topology.load(topology.ROOT / "lab.yml")
HOST = {"cpus": 2, "accelerator": "emulated"}
INTERRUPTED = changed(story(), kind("end"), complete=False, why="interrupted")
UNHEALTHY = LabNotUp("the lab is not healthy", hint="invoke lab.up")


class Doubles:
    """Plays a story a run: a timeline, or what is raised instead."""

    def __init__(self, folder: Path, *stories: Sequence[Entry] | BaseException) -> None:
        self.folder, self.stories = folder, list(stories)
        self.plans: list[str] = []
        self.drawn: list[str] = []
        self.converged = 0
        self.begun: list[str] = []
        self.path = folder / "results.jsonl"

    @contextmanager
    def run(self, _lab: object, plan: Plan, _roles: object) -> Iterator[Path]:
        """Stands in for runner.run, which raises an interruption again after its block."""
        told = self.stories.pop(0)
        if isinstance(told, BaseException):
            raise told
        self.plans.append(plan.name)
        folder = self.folder / f"run-{len(self.plans)}"
        folder.mkdir()
        timeline.append(folder / run_folder.TIMELINE, told)
        yield folder
        if told is INTERRUPTED:
            raise KeyboardInterrupt

    def draw(self, folder: Path, judgement: Judgement) -> None:
        """Stands in for the report of a run."""
        self.drawn.append(folder.name)

    def begin(self, name: str) -> Callable[[], None]:
        """Stands in for the file of the predictions."""
        self.begun.append(name)
        return lambda: self.begun.remove(name)

    def converge(self, _lab: object, _roles: object) -> None:
        """Stands in for converge.everything."""
        self.converged += 1

    def play(self, only: str, **predicted: list[str]) -> list[str]:
        """The command: measure what has no result yet; returns name and verdict of each new result."""
        todo = unmeasured(chosen(LAB, only), list(self.results))
        setup = Setup(LAB, {}, HOST, self.path, predicted, self.draw, self.begin)
        return [f"{it['name']}: {it['verdict']}" for it in spof.play(todo, setup)]

    @property
    def results(self) -> dict[str, spof.Result]:
        """What is saved for this code."""
        return spof.measured(self.path, spof.fingerprint())


@pytest.fixture(autouse=True)
def quiet_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    """No node is reached: the name server answers, the user has no choices."""
    monkeypatch.setattr(lookups, "watching", lambda lab: nullcontext(spof_stories.lookups()))
    monkeypatch.setattr(own_choices, "in_force", lambda *_: nullcontext())
    monkeypatch.setattr(choices, "load", Choices)


def doubles(monkeypatch: pytest.MonkeyPatch, folder: Path, *stories: Sequence[Entry] | BaseException) -> Doubles:
    """These runs, in their order."""
    made = Doubles(folder, *stories)
    monkeypatch.setattr(runner, "run", made.run)
    monkeypatch.setattr(converge, "everything", made.converge)
    return made


def test_each_component_leaves_a_result_and_a_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With what was predicted of it, the run and the choices that it was measured with."""
    it = doubles(monkeypatch, tmp_path, story(), story(writes=(5, 34)))
    assert it.play("nginx", **{"web2-nginx": ["writes"]}) == [f"web1-nginx: {SURVIVED}", f"web2-nginx: {SINGLE}"]
    assert it.plans == ["spof-web1-nginx", "spof-web2-nginx"] and it.drawn == ["run-1", "run-2"]
    first, second = it.results.values()
    assert (first["predicted"], second["predicted"]) == (None, ["writes"])
    assert (second["run"], second["durability"], second["mode"]) == ("run-2", "durable", "active-active")
    assert second["host"] == HOST


def test_an_interruption_keeps_what_is_measured_and_the_rest_follows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The component that was dead has no result, so it is the next one; a converge opens a primary that was dead."""
    it = doubles(monkeypatch, tmp_path, story(), INTERRUPTED, story())
    with pytest.raises(KeyboardInterrupt):
        it.play("nginx")
    assert list(it.results) == ["web1-nginx"] and it.converged == 1
    assert it.begun == ["web1-nginx", "web2-nginx"], "what was dead can't be predicted any more"
    assert it.play("nginx") == [f"web2-nginx: {SURVIVED}"]
    assert it.play("nginx") == []


def test_an_unhealthy_lab_is_refused_with_the_way_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is reset without being asked: that would delete the user's notes; nor repaired."""
    it = doubles(monkeypatch, tmp_path, story(), UNHEALTHY)
    with pytest.raises(LabNotUp) as caught:
        it.play("nginx")
    assert "invoke lab.up" in caught.value.hint and "invoke lab.reset" in caught.value.hint
    assert it.converged == 0 and it.begun == ["web1-nginx"]
    assert list(it.results) == ["web1-nginx"]


def test_a_run_that_broke_is_no_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its report is drawn, the command ends with an error, and a converge opens a primary that was dead."""
    it = doubles(monkeypatch, tmp_path, changed(story(), kind("end"), complete=False, why="the load died"))
    with pytest.raises(InfrastructureBroken):
        it.play("web1")
    assert it.drawn == ["run-1"] and it.results == {} and it.converged == 1


def test_results_of_other_code_or_choices_do_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With another durability everything is measured anew; where the machines run is no matter."""
    it = doubles(monkeypatch, tmp_path, story())
    it.play("web1")
    monkeypatch.setattr(choices, "load", lambda: Choices(provider="virtualbox"))
    assert list(it.results) == ["web1"]
    monkeypatch.setattr(choices, "load", lambda: Choices(mode="active-passive"))
    assert it.results == {}


@pytest.mark.parametrize(
    ("answer", "ok"), [("192.168.56.10", True), ("192.168.56.99", False), ("", False), (Unreachable("silent"), False)]
)
def test_a_lookup_is_right_only_with_the_address_of_the_balancer(
    monkeypatch: pytest.MonkeyPatch, answer: str | Unreachable, ok: bool
) -> None:
    """No answer, no address and another address leave a new visitor without the site."""
    monkeypatch.undo()
    asked = threading.Event()

    def resolve(_lab: Lab, name: str, _timeout: float) -> str:
        assert name == LAB.site
        asked.set()
        if isinstance(answer, Unreachable):
            raise answer
        return answer

    monkeypatch.setattr(name_server, "resolve", resolve)
    monkeypatch.setattr(lookups, "EVERY_S", 0.01)
    with lookups.watching(LAB) as made:
        assert asked.wait(5)
    assert [it.ok for it in made[:1]] == [ok]
    assert all(isinstance(it, Try) and it.ended >= it.due for it in made)
