"""A run that changed the roles brings the lab back; nodes and eyes are doubles."""

from pathlib import Path
from typing import Any

import pytest

from lab import experiment, injection, lifecycle, plan, runs, topology
from lab.errors import CheckFailed, LabError
from lab.experiment import Hands, Run
from lab.latest import Latest

LAB = topology.load()


class Scene:
    """Who is primary, and what was done from above."""

    def __init__(self) -> None:
        self.primary = "web1"
        self.done: list[str] = []
        self.exit_code = 0

    def command(self, words: str) -> tuple[int, str]:
        """A command of the lab."""
        self.done.append(words)
        if words.startswith("db.promote ") and not self.exit_code:
            self.primary = words.split()[1]
        return self.exit_code, "what it said"

    def run(self) -> Run:
        """An experiment that began with web1 as primary."""
        hands = Hands(lambda wanted: self.done.append("converge"), self.command, lambda folder: [])
        it = Run(LAB, plan.find("planned-switch", LAB), hands)
        it._primary = "web1"
        return it


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Scene:
    """A lab that is whole whatever happens."""
    made = Scene()

    def primary(_: Latest) -> str:
        return made.primary

    def make(name: str) -> Path:
        return tmp_path

    monkeypatch.setattr(Latest, "primary", primary)
    monkeypatch.setattr(Latest, "wrong", lambda _: [])
    monkeypatch.setattr(lifecycle, "machines", lambda lab: [])
    monkeypatch.setattr(runs, "make", make)
    monkeypatch.setattr(injection, "heal_all", lambda lab, **_: [])
    monkeypatch.setattr(experiment, "OPEN_S", 0.0)
    return made


def settle(it: Any) -> None:
    """Heal, and bring the lab back."""
    it._settle()


def test_a_promoted_lab_ends_as_it_began(scene: Scene) -> None:
    """The old primary rejoins, then it is promoted back."""
    it = scene.run()
    scene.primary = "web2"
    settle(it)
    assert scene.done == ["db.rejoin web1", "db.promote web1"] and scene.primary == "web1"


def test_without_a_promotion_nothing_is_turned(scene: Scene) -> None:
    """The primary is who it was, or nobody: then a converge opens it where that is certain."""
    settle(scene.run())
    assert scene.done == []
    scene.primary = ""
    settle(scene.run())
    assert scene.done == ["converge"]


def test_a_way_back_that_fails_breaks_the_run(scene: Scene) -> None:
    """With what the command said: the next run would not begin where this one did."""
    it = scene.run()
    scene.primary, scene.exit_code = "web2", 1
    with pytest.raises(CheckFailed, match=r"db\.rejoin web1 ended with 1") as caught:
        settle(it)
    assert isinstance(caught.value, LabError) and "what it said" in caught.value.evidence
