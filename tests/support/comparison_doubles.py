"""A lab for comparisons: it notes the choices and faults of each round, and a round takes no time."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab import topology
from lab.analysis import comparison_folder, matrix_results, run_folder
from lab.analysis.compared_rounds import Round
from lab.experiment import comparison_rounds, load, role_recovery
from lab.faults import ledger
from lab.faults.kinds import Fault
from lab.injection import inject_and_heal
from lab.nodes import lifecycle
from lab.operations import balancing, converge, restore
from lab.plan.experiment_file import Load
from lab.state import choices, lock
from lab.state.choices import Choices
from lab.topology import Lab
from tests.support import comparisons, timelines

LAB = topology.load()


class Scene:
    """`fails_at`: the number of the round that is not completed, and `error` what ends it.

    `healed_at`: the number of the round whose faults another terminal heals.
    """

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self.folder = folder
        self.converged: list[Choices] = []
        self.rounds: list[tuple[Choices, int, set[str]]] = []
        self.broken: dict[str, Fault] = {}
        self.healthy = True
        self.fails_at, self.error = 0, BaseException()
        self.healed_at = 0
        for owner, name, double in self._doubles():
            patch.setattr(owner, name, double)

    def _doubles(self) -> Iterator[tuple[Any, str, Any]]:
        yield lock, "held", lambda: nullcontext(False)
        yield restore, "must_be_healthy", self.must_be_healthy
        yield restore, "wrong", lambda *_: [] if self.healthy else ["web1: nginx is failed"]
        yield lifecycle, "machines", lambda _: []
        yield role_recovery, "primary", lambda _: "web1"
        yield converge, "everything", self.converge
        yield balancing, "machine_of", lambda _: None
        yield balancing, "in_force", lambda *_: None
        yield load, "running", self.load
        yield comparison_rounds, "_wait", lambda *_: None
        yield inject_and_heal, "machine_of", lambda *_: None
        yield inject_and_heal, "inject", self.inject
        yield inject_and_heal, "heal_all", lambda _: self.broken.clear()
        yield ledger, "active", lambda _: list(self.broken.values())
        yield matrix_results, "commit", lambda: "c1268a9"
        minutes = count()
        yield (
            run_folder,
            "datetime",
            SimpleNamespace(now=lambda zone: datetime.fromtimestamp(60 * next(minutes))),
        )

    def must_be_healthy(self, _: Lab) -> None:
        """As it is before a comparison."""
        assert self.healthy

    def converge(self, *_: object, **__: object) -> None:
        """The choices come into force."""
        self.converged.append(choices.load())

    def inject(self, _: Lab, fault: Fault, __: object) -> None:
        """A fault is active until all are healed."""
        assert fault.id not in self.broken
        self.rounds[-1][2].add(fault.id)
        if len(self.rounds) != self.healed_at:
            self.broken[fault.id] = fault

    @contextmanager
    def load(self, sent: Load, seed: int, longest_s: float, record: Path) -> Iterator[Any]:
        """A load that leaves its record."""
        self.rounds.append((self.converged[-1], seed, set()))
        name = record.parent.name
        one = Round(int(name[:2]), name[3:], timelines.T0, 20.0, 1.0)
        comparisons.record(record.parents[2], one, comparisons.alike)
        yield SimpleNamespace(began=lambda: timelines.T0 - 5, must_go_on=lambda: None, end=self._end)

    def _end(self) -> None:
        if len(self.rounds) == self.fails_at:
            raise self.error

    @property
    def measured(self) -> list[Round]:
        """The rounds that are complete, of the newest comparison."""
        paths = sorted((self.folder / run_folder.RUNS.name).glob("*-compare-*"))
        return comparison_folder.rounds(paths[-1]) if paths else []
