"""The end of an experiment: the databases are read and judged, whatever they contain. The lab is a double."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab import topology
from lab.analysis import load_record, run_folder, timeline
from lab.analysis.judgement import Judgement
from lab.errors import Unreachable
from lab.experiment import (
    final_reads,
    load,
    observers,
    own_choices,
    requests_seen,
    role_recovery,
    runner,
    subcommand,
    teardown,
)
from lab.experiment.live_state import Latest
from lab.experiment.runner import Run
from lab.injection import inject_and_heal
from lab.mysql.server_state import Database
from lab.nodes import lifecycle
from lab.nodes.ssh import Answer
from lab.operations import logs, restore
from lab.plan import experiment_file
from lab.plan.experiment_file import Expectation, Step
from lab.topology import Node
from tests.support import timelines
from tests.support.pairs import OPEN, U1

LAB = topology.load()
EXPECT = (Expectation("gtid-equal", "equals", True), Expectation("lost-writes", "at_most", 0))
COMMANDS = (*EXPECT, Expectation("failed-commands", "at_most", 0))
PROMOTED = (Step(0, "command", command="db.promote web2"),)


class Scene:
    """The final content of the databases, the silent nodes, the primary, and the answers of commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sets = {"web1": f"{U1}:1-50", "web2": f"{U1}:1-50"}
        self.tokens = {"web1": ["t0", "t1"], "web2": ["t0", "t1"]}
        self.silent = ""
        self.primary = "web1"
        self.answers: dict[str, int] = {}
        self.healthy = True

    def asked(self, _: object) -> dict[str, Database | None]:
        """A double of facts.databases_of."""
        sets = self.sets.items()
        return {name: None if name == self.silent else replace(OPEN, node=name, gtid_executed=it) for name, it in sets}

    def command(self, words: str, _: object) -> tuple[int, str]:
        """A double of a command of the lab."""
        code = self.answers.get(words, 0)
        if words.startswith("db.promote") and not code:
            self.primary = words.split()[1]
        return code, "what it said"

    def perform(self, expect: Sequence[Expectation] = EXPECT, steps: tuple[Step, ...] = ()) -> dict[str, Any]:
        """Run it; returns the summary of its timeline, and the details of the checks."""
        it = replace(experiment_file.find("control", LAB), expect=tuple(expect), steps=steps)
        it = replace(it, warm_up_s=0.0, measure_s=0.2, settle_s=0.1)
        with runner.run(LAB, it, {}):
            pass
        entries = timeline.read(self.folder / run_folder.TIMELINE)
        judgement = Judgement.of(entries)
        return {**judgement.summary, "details": {check.name: check.detail for check in judgement.checks}}


def record(number: int) -> dict[str, Any]:
    """A write that was acknowledged, as the load recorded it."""
    it = timelines.write(number, f"t{number}")
    return {"at": it.at, "observer": it.observer, "kind": it.kind, **it.data}


class Double:
    """A node whose database returns its notes."""

    def __init__(self, node: Node, scene: Scene) -> None:
        self.node, self.scene = node, scene

    def run(self, text: str, **_: object) -> Answer:
        """Each note once."""
        if self.node.name == self.scene.silent:
            raise Unreachable(f"{self.node.name} does not answer on ssh")
        return Answer(0, "".join(f"{it}\t1\t0\n" for it in self.scene.tokens[self.node.name]), "")


def introduce(it: Run, rounds: int) -> None:
    """The run entry that the checks need."""
    nodes = {node.name: list(node.roles) for node in LAB.nodes}
    it.record("run", **{**it.plan.as_data(), "nodes": nodes})
    it._recovery.primary = "web1"


@contextmanager
def loaded(*_: object) -> Iterator[Any]:
    """A load that sends nothing."""
    yield SimpleNamespace(
        began=lambda: 0.0, must_go_on=lambda: None, end=lambda: None, cpu=lambda: 0.1, cpu_peak=lambda: 0.1
    )


@contextmanager
def watched(*_: object) -> Iterator[None]:
    """No observers."""
    yield


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Scene:
    """A healthy lab that answers at once."""
    made = Scene(tmp_path)
    for where, name, double in (
        (run_folder, "make", lambda name: tmp_path),
        (lifecycle, "machines", lambda lab: [Double(node, made) for node in LAB.nodes]),
        (restore, "must_be_healthy", lambda lab: None),
        (Run, "introduce", introduce),
        (observers, "watching", watched),
        (load, "running", loaded),
        (requests_seen, "requests", lambda balancer: None),
        (final_reads, "tokens", lambda machines: set()),
        (final_reads, "databases_of", made.asked),
        (inject_and_heal, "heal_all", lambda lab, **_: []),
        (logs, "save", lambda *_: None),
        (teardown, "report_roles", lambda *_: None),
        (role_recovery, "primary", lambda machines: made.primary or "web1"),
        (Latest, "primary", lambda *_: made.primary),
        (Latest, "wrong", lambda _: [] if made.healthy else ["web1 is not seen replicating"]),
        (role_recovery, "OPEN_S", 0.0),
        (runner, "AFTERWARDS_S", 0.0),
        (own_choices, "apply", lambda *_: None),
        (subcommand, "run", made.command),
        (load_record, "merge", lambda _: [record(0), record(1)]),
    ):
        monkeypatch.setattr(where, name, double)
    return made


def test_equal_databases_that_hold_every_write_pass(scene: Scene) -> None:
    """Both are read, and nothing is lost."""
    it = scene.perform()
    assert (it["verdict"], it["writes"]["lost"]) == ("pass", 0)


def test_databases_that_never_become_equal_fail(scene: Scene) -> None:
    """This is a failure of the site: both are still read, and lost writes are counted."""
    scene.sets["web2"], scene.tokens["web2"] = f"{U1}:1-49", ["t0"]
    it = scene.perform()
    assert (it["verdict"], it["writes"]["lost"]) == ("fail", 1)
    assert it["details"]["gtid-equal"] == "web1 has 1 transaction that web2 lacks"


def test_a_database_that_can_not_be_read_proves_nothing(scene: Scene) -> None:
    """It may lack or have any write, so the run is an infrastructure error and no write counts as lost."""
    scene.silent, scene.tokens["web2"] = "web1", ["t0"]
    assert scene.perform()["verdict"] == "error"


def test_two_silent_databases_are_not_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer from either is not the same answer."""
    monkeypatch.setattr(final_reads, "databases_of", lambda machines: {"web1": None, "web2": None})
    assert final_reads.unequal([]) == ["web1 does not answer", "web2 does not answer"]


def test_a_difference_that_no_check_asks_for_is_an_error(scene: Scene) -> None:
    """Otherwise the run would pass, and the difference would not be reported."""
    scene.sets["web2"] = f"{U1}:1-49"
    assert scene.perform(EXPECT[1:])["verdict"] == "error"


@pytest.mark.parametrize(("code", "verdict"), [(1, "fail"), (3, "error")], ids=["said no", "the rig broke"])
def test_a_way_back_that_says_no_is_a_failure_and_one_that_breaks_an_error(
    scene: Scene, code: int, verdict: str
) -> None:
    """The promotion works, but the old primary can't rejoin."""
    scene.answers["db.rejoin web1"] = code
    assert scene.perform(COMMANDS, PROMOTED)["verdict"] == verdict


def test_a_refused_promotion_is_not_hidden_by_a_lab_that_does_not_settle(scene: Scene) -> None:
    """The promotion was refused before the infrastructure failed; without it the same end is an error."""
    scene.healthy = False
    assert scene.perform(COMMANDS, PROMOTED)["verdict"] == "error"
    (scene.folder / run_folder.TIMELINE).unlink()
    scene.answers["db.promote web2"] = 1
    assert scene.perform(COMMANDS, PROMOTED)["verdict"] == "fail"
