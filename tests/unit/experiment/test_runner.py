"""A run that changed the roles restores them, and a failed run is torn down; nodes and observers are doubles."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from errno import ENOSPC
from pathlib import Path
from typing import Any

import pytest

from lab import topology
from lab.analysis import load_record, run_folder, timeline
from lab.analysis.timeline import Entry
from lab.errors import BadInput, CheckFailed, LabError
from lab.experiment import own_choices, role_recovery, runner, subcommand, teardown
from lab.experiment.live_state import Latest
from lab.experiment.runner import Run
from lab.injection import inject_and_heal
from lab.nodes import lifecycle
from lab.operations import logs, restore
from lab.plan import experiment_file
from tests.support.pairs import OPEN, PROMOTED

LAB = topology.load()
FULL = OSError(ENOSPC, "No space left on device")


class Scene:
    """The primary, and what was done."""

    def __init__(self) -> None:
        self.primary = "web1"
        self.done: list[str] = []
        self.exit_code = 0
        self.measuring: BaseException | None = None
        self.healing: Exception | None = None
        self.merging: Exception | None = None
        self.folder = Path()

    def measure(self, _: Run, rounds: int) -> None:
        """A double of load and faults."""
        if self.measuring:
            raise self.measuring

    def heal_all(self, lab: object, **_: object) -> list[object]:
        """Heal every fault."""
        self.done.append("heal")
        if self.healing:
            raise self.healing
        return []

    def merge(self, folder: Path) -> list[dict[str, Any]]:
        """The record of the load: one request."""
        if self.merging:
            raise self.merging
        return [{"at": 1.0, "observer": "client", "kind": "request", "token": ""}]

    def complete_run(self, primary: str = "") -> list[Entry]:
        """Run an experiment completely, with that primary; returns its timeline."""
        plan = replace(experiment_file.find("control", LAB), primary=primary)
        with runner.run(LAB, plan, {}) as folder:
            assert folder == self.folder
            self.done.append("reported")
        return self.entries()

    def entries(self) -> list[Entry]:
        """The timeline on the disk."""
        return timeline.read(self.folder / run_folder.TIMELINE)

    def command(self, words: str, give_up: Callable[[], bool]) -> tuple[int, str]:
        """A double of a command of the lab."""
        self.done.append(words)
        if words.startswith("db.promote ") and not self.exit_code:
            self.primary = words.split()[1]
        return self.exit_code, "what it said"

    def run(self) -> Run:
        """An experiment that began with web1 as primary."""
        it = Run(LAB, experiment_file.find("planned-switch", LAB), {})
        it._recovery.primary = "web1"
        return it


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Scene:
    """A lab that is always healthy."""
    made = Scene()

    def primary(_: Latest) -> str:
        return made.primary

    def make(name: str) -> Path:
        return tmp_path

    monkeypatch.setattr(Latest, "primary", primary)
    monkeypatch.setattr(Latest, "wrong", lambda _: [])
    monkeypatch.setattr(lifecycle, "machines", lambda lab: [])
    monkeypatch.setattr(run_folder, "make", make)
    made.folder = tmp_path
    monkeypatch.setattr(own_choices, "apply", lambda *_: made.done.append("converge"))
    monkeypatch.setattr(subcommand, "run", made.command)
    monkeypatch.setattr(load_record, "merge", made.merge)
    monkeypatch.setattr(inject_and_heal, "heal_all", made.heal_all)
    monkeypatch.setattr(restore, "must_be_healthy", lambda lab: None)
    monkeypatch.setattr(Run, "introduce", lambda it, rounds: None)
    monkeypatch.setattr(Run, "measure", lambda it, rounds: made.measure(it, rounds))
    monkeypatch.setattr(logs, "save", lambda lab, folder, since: made.done.append("logs"))
    monkeypatch.setattr(role_recovery, "OPEN_S", 0.0)
    monkeypatch.setattr(role_recovery, "primary", lambda machines: made.primary)
    return made


def settle(it: Any) -> None:
    """Heal, and restore the roles."""
    it._settle()


def test_a_promoted_lab_ends_as_it_began(scene: Scene) -> None:
    """The old primary rejoins, then it is promoted back."""
    it = scene.run()
    scene.primary = "web2"
    settle(it)
    assert scene.done == ["heal", "db.rejoin web1", "db.promote web1"] and scene.primary == "web1"


def test_who_is_primary_is_asked_before_anything_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """And again if there is none at first: no observer may have seen a busy node when the measurement begins."""
    answers = iter([{"web1": None, "web2": None}, {"web1": replace(OPEN, writable=False), "web2": PROMOTED}])
    monkeypatch.setattr(role_recovery, "databases_of", lambda machines: next(answers))
    assert role_recovery.primary([]) == "web2"


def test_without_a_promotion_nothing_is_turned(scene: Scene) -> None:
    """The primary is unchanged, or there is none: then a converge makes it writable if that is certain."""
    settle(scene.run())
    assert scene.done == ["heal"]
    scene.primary = ""
    settle(scene.run())
    assert scene.done == ["heal", "heal", "converge"]


def test_what_brings_the_lab_back_is_on_the_timeline(scene: Scene) -> None:
    """A converge too, which is no command of the plan; each with when it began."""
    scene.primary = ""
    settle(scene.run())
    scene.primary = "web2"
    settle(scene.run())
    found = [(it.kind, it.data["words"], it.data["began"] <= it.at) for it in scene.entries()]
    commands = [("command", "db.rejoin web1", True), ("command", "db.promote web1", True)]
    assert found == [("recovery", "lab.provision", True), *commands]


def test_a_way_back_that_fails_breaks_the_run(scene: Scene) -> None:
    """With the command's output: the next run would begin with other roles."""
    it = scene.run()
    scene.primary, scene.exit_code = "web2", 1
    with pytest.raises(CheckFailed, match=r"db\.rejoin web1 ended with 1") as caught:
        settle(it)
    assert isinstance(caught.value, LabError) and "what it said" in caught.value.evidence


def test_a_run_that_ended_well_is_complete(scene: Scene) -> None:
    """The load's record is on the timeline, and its last entry says that it is complete."""
    entries = scene.complete_run()
    assert [it.kind for it in entries] == ["request", "end"] and entries[-1].data == {
        "complete": True,
        "why": "",
        "clock_jumped_s": 0.0,
    }
    assert scene.done == ["converge", "heal", "logs", "reported"]


def test_however_the_tidying_fails_every_part_of_it_is_tried(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A ledger on a full disk, an invalid record, no space for logs: each is reported with the next step."""
    scene.healing, scene.merging = FULL, BadInput("line 3 is not JSON")

    def save(*_: object) -> None:
        raise FULL

    monkeypatch.setattr(logs, "save", save)
    entries = scene.complete_run()
    assert [it.kind for it in entries] == ["broken", "broken", "end"]
    assert "faults are left: no room on this machine's disk" in entries[0].data["why"]
    assert "line 3 is not JSON" in entries[1].data["why"]
    assert scene.done[-1] == "reported" and not list(scene.folder.glob("*.reserve"))
    output = capsys.readouterr().err
    assert "next: df -h, then invoke fault.heal" in output and "the logs are not saved" in output


@pytest.mark.parametrize("error", [FULL, CheckFailed("the load died")], ids=["full disk", "the lab's own"])
def test_what_breaks_the_measuring_is_told_and_all_is_tidied(scene: Scene, error: Exception) -> None:
    """A full disk of this machine is no interruption: the run reports the error."""
    scene.measuring = error
    entries = scene.complete_run()
    broken, end = [next(it for it in entries if it.kind == kind) for kind in ("broken", "end")]
    assert end.data["complete"] is False and end.data["why"] in broken.data["why"] and end.data["why"] != "interrupted"
    assert scene.done == ["converge", "heal", "logs", "reported"]


@pytest.mark.parametrize("error", [KeyError("a mistake"), KeyboardInterrupt()], ids=["a mistake", "^C"])
def test_a_mistake_of_the_program_and_an_interruption_go_on_after_all_is_tidied(
    scene: Scene, error: BaseException
) -> None:
    """A bug needs its traceback to be fixed; an interruption is reported as such."""
    scene.measuring = error
    with pytest.raises(type(error)):
        scene.complete_run()
    assert scene.done == ["converge", "heal", "logs", "reported"] and scene.entries()[-1].kind == "end"


@pytest.mark.parametrize(
    ("words", "ending", "reported"),
    [
        ("db.promote web2", KeyboardInterrupt(), True),
        ("db.promote web2", None, False),
        ("", KeyboardInterrupt(), False),
    ],
    ids=["interrupted", "ended well", "no command was given"],
)
def test_the_roles_that_a_command_left_are_told(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, words: str, ending: BaseException | None, reported: bool
) -> None:
    """After a run that ended early, when everything is healed: the roles were not restored."""
    reports: list[str] = []
    monkeypatch.setattr(teardown, "report_roles", lambda machines, was: reports.append(was))

    def measure(it: Any, rounds: int) -> None:
        it._recovery.primary = "web1"
        if words:
            it._command(words)
        if ending:
            raise ending

    monkeypatch.setattr(Run, "measure", measure)
    with pytest.raises(KeyboardInterrupt) if ending else nullcontext():
        scene.complete_run()
    assert reports == ["web1"] * reported and "heal" in scene.done
