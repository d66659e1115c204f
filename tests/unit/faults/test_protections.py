"""Protections that an experiment takes away: only while it runs, and told until they are back."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from commands import experiment
from lab import topology
from lab.analysis.history import History
from lab.analysis.judgement import Judgement
from lab.desired.target import Roles
from lab.errors import CommandFailed, LabError
from lab.experiment import effective_config, own_choices, runner
from lab.faults.protections import PROTECTIONS
from lab.mysql.server_state import Database
from lab.operations import converge
from lab.operations.converge import Outcome
from lab.plan import experiment_file
from lab.replication import schema
from lab.report.caveats import limits
from lab.state import choices, lock
from tests.support.stories import shipped
from tests.support.timelines import quiet
from tests.unit.conftest import Stored
from tests.unit.operations.test_converge import LAB, Double

PLAIN = Database("web1", "9.7.4", writable=True, gtid_executed="", has_site=True)
CONTROL = ("write-safety", "unique-key")


class Primary(Double):
    """A node that is told SQL."""

    def __init__(self) -> None:
        super().__init__(LAB.node("web1"))


@pytest.mark.parametrize(
    ("has", "wanted", "does"),
    [
        (True, False, "DROP PRIMARY KEY, ADD KEY token (token)"),
        (False, True, "ADD PRIMARY KEY (token)"),
        (True, True, ""),
        (False, False, ""),
    ],
)
def test_the_key_is_taken_away_and_put_back_once(has: bool, wanted: bool, does: str) -> None:
    """What is as wanted is left alone; of two notes with one token only the first stays."""
    machine = Primary()
    changed = schema.key(machine, replace(PLAIN, unique_key=has), wanted=wanted)  # type: ignore[arg-type]
    assert bool(changed) == bool(machine.scripts) == bool(does)
    assert does in "".join(machine.scripts)
    assert ("DELETE extra" in "".join(machine.scripts)) == (wanted and not has)


def test_a_table_that_was_just_made_has_its_key() -> None:
    """Before that, nobody could say that it had one."""
    fresh = replace(PLAIN, has_site=False, unique_key=False)
    assert schema.key(Primary(), fresh, wanted=True) == []  # type: ignore[arg-type]
    assert schema.key(Primary(), fresh, wanted=False)  # type: ignore[arg-type]


def test_the_report_shows_what_was_missing_and_what_was_there() -> None:
    """The lines that are not there decide a control."""
    text = (Path(__file__).parents[1] / "cases/templates/lb1/haproxy-without-redispatch.cfg").read_text(
        encoding="utf-8"
    )
    shown = {it["file"]: it["lines"] for it in effective_config.missing(["redispatch", "unique-key"])}
    assert shown["Not in haproxy.cfg for this run"] == ["option redispatch 1"]
    assert "Not in schema.sql for this run" in shown
    assert ["defaults", "    no option redispatch"] in [it["lines"] for it in effective_config.lines(text)]


def test_a_report_says_that_it_is_of_a_control() -> None:
    """Whoever reads only the page must not take its trouble for the lab's."""
    summary = Judgement.of(quiet(), []).summary
    assert "without retries, unique-key" in limits(History(quiet(without=["retries", "unique-key"])), summary)[0]
    assert not any("control" in line for line in limits(History(quiet()), summary))


def lines_of(name: str) -> set[str]:
    """The lines of a rendered haproxy.cfg without their indent."""
    text = (Path(__file__).parents[1] / "cases/templates/lb1" / name).read_text(encoding="utf-8")
    return {line.strip() for line in text.splitlines()}


@pytest.mark.parametrize("name", ["retries", "redispatch"])
def test_the_lines_that_a_report_says_are_missing_are_those_of_the_template(name: str) -> None:
    """All of them are there otherwise, and none of them is without the protection."""
    reported = set(PROTECTIONS[name].lines)
    assert reported <= lines_of("haproxy.cfg")
    assert reported & lines_of(f"haproxy-without-{name}.cfg") == set()


class Trial:
    """An experiment whose run is played: what was converged, and how it ends."""

    def __init__(self, ending: BaseException | None) -> None:
        self.ending = ending
        self.converged: list[Sequence[str]] = []
        self.fails_back = False
        self.code: int | None = None

    def everything(self, lab: object, roles: object, without: Sequence[str] = ()) -> Outcome:
        """Stands in for converge.everything: it writes down and strikes out as that does."""
        self.converged.append(tuple(without))
        if without:
            choices.save(without=without)
        elif self.fails_back:
            raise CommandFailed("lb1", "converge", 1, "gone")
        elif choices.load().without:
            choices.save(without=())
        return Outcome([], {}, [])

    @contextmanager
    def run(self, lab: topology.Lab, it: experiment_file.Plan, roles: Roles, rounds: int) -> Iterator[Path]:
        """Stands in for runner.run."""
        for wanted in ({"durability": "durable"}, {}):
            own_choices.apply(lab, roles, wanted, it.without)
        if self.ending:
            raise self.ending
        yield Path()


@pytest.fixture
def trial(stored: Stored, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Trial]:
    """Run control-resent-writes, with this ending."""

    def play(ending: BaseException | None, fails_back: bool = False) -> Trial:
        it = Trial(ending)
        it.fails_back = fails_back
        held = lock.held
        monkeypatch.setattr(lock, "held", lambda: held(tmp_path / "lock"))
        monkeypatch.setattr(converge, "everything", it.everything)
        monkeypatch.setattr(runner, "run", it.run)
        monkeypatch.setattr(experiment, "_report", lambda _: 0)
        with pytest.raises(Exit) as caught:
            experiment.run(Context(), "control-resent-writes")
        it.code = caught.value.code
        return it

    return play


@pytest.mark.parametrize("ending", [None, LabError("the rig broke"), KeyboardInterrupt()], ids=["well", "badly", "^C"])
@pytest.mark.parametrize("left", [{}, {"without": ["retries"]}], ids=["", "after a kill"])
def test_however_a_control_ends_its_protections_come_back(
    trial: Callable[..., Trial], stored: Stored, ending: BaseException | None, left: dict[str, Any]
) -> None:
    """They are missing all the time that it runs, and only then; what was chosen before stays chosen."""
    choices.save(algorithm="leastconn", **left)
    assert trial(ending).converged == [CONTROL, CONTROL, ()]
    assert stored() == {"algorithm": "leastconn"}


def test_what_could_not_be_put_back_stays_on_record(trial: Callable[..., Trial], stored: Stored) -> None:
    """Status goes on telling it, until a converge has done it."""
    trial(None, fails_back=True)
    assert stored() == {"without": list(CONTROL)}


def test_an_interrupt_stays_one_where_nothing_can_be_put_back(trial: Callable[..., Trial]) -> None:
    """Else a matrix would go on with its next row."""
    assert trial(KeyboardInterrupt(), fails_back=True).code == 130


def test_an_ordinary_experiment_begins_with_every_protection() -> None:
    """One that a killed control left away is put back by its first converge."""
    ordinary = [it for it in shipped(topology.load()) if it.name.startswith("web")]
    assert ordinary and {it.without for it in ordinary} == {()}
