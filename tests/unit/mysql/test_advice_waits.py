"""What the status says of writes that wait or are refused, each with the command that helps."""

from dataclasses import replace

import pytest

from lab.durability import NONE, Durability, InForce
from lab.faults import ledger
from lab.faults.kinds import Fault
from lab.mysql.advice import advise, unchosen
from lab.operations import status
from tests.support.pairs import OPEN, REPLICA, WEB1, WEB2
from tests.unit.operations.test_status import HEALTHY


def test_a_primary_without_a_durability_is_told() -> None:
    """It was opened, or semi-sync switched off, by hand: the site writes no notes there."""
    (line,) = advise((WEB1, WEB2), {"web1": replace(OPEN, durability=NONE), "web2": REPLICA}, "", {})
    assert "no durability is set on web1" in line and line.endswith("next: invoke lab.provision")


DURABLE = replace(OPEN, durability=Durability.DURABLE, waits=True)


@pytest.mark.parametrize(
    ("fault", "machine", "command"),
    [
        (True, "running", "invoke fault.heal"),
        (False, "running", 'invoke lab.exec web2 "systemctl restart mysql"'),
        (False, "off", "invoke db.rejoin web2"),
        (False, "absent", "invoke lab.up"),
    ],
)
def test_writes_that_wait_for_a_replica_that_does_not_answer_are_told(fault: bool, machine: str, command: str) -> None:
    """'MySQL on web2 can't be asked' does not say what visitors notice."""
    if fault:
        ledger.add(Fault("service-kill", "web2", service="mysql"), 1.0)
    (line,) = advise((WEB1, WEB2), {"web1": DURABLE, "web2": None}, "", {}, {"web2": machine})
    assert line.startswith("writes wait: durable") and line.endswith(f"next: {command}")


def test_writes_that_wait_for_nobody_are_not_told_to_wait() -> None:
    """Commits that need no replica go on."""
    available = replace(OPEN, durability=Durability.AVAILABLE)
    (line,) = advise((WEB1, WEB2), {"web1": available, "web2": None}, "", {}, {"web2": "off"})
    assert line == "MySQL on web2 does not answer; next: invoke db.rejoin web2"


def test_a_durability_is_set_when_every_server_answers() -> None:
    """lab.provision, which sets it, is refused while a server does not answer."""
    asked = {"web1": replace(OPEN, durability=NONE), "web2": None}
    _, last = advise((WEB1, WEB2), asked, "", {}, {"web2": "off"})
    assert "no durability is set on web1" in last and last.endswith("next: invoke db.rejoin web2")


@pytest.mark.parametrize(
    ("error", "faults", "lines"),
    [
        ("database: two primaries; next: invoke lab.reset", [], ["next      invoke lab.reset"]),
        (
            "database: cut off; next: invoke fault.heal, then invoke db.rejoin web2",
            [{"id": "web2-partition-web1"}],
            [f"next      {status.HEAL}"],
        ),
        ("web2: the machine is off", [{"id": "web2-power-off"}], [f"next      {status.HEAL}"]),
    ],
)
def test_one_step_comes_next(error: str, faults: list[dict[str, str]], lines: list[str]) -> None:
    """The first command that the databases need, or the healing of injected faults; the next status shows the rest."""
    text = status.table({**HEALTHY, "errors": [error], "faults": faults}, colour=False)
    assert [it for it in text.splitlines() if it.startswith(("next", "or "))] == lines


def test_a_command_that_runs_is_told_and_nothing_is_to_be_done_beside_it() -> None:
    """During an experiment its faults are intended, and healing them would spoil it."""
    running = "`invoke experiment.run control` (process 7, for 63 s)"
    broken = {**HEALTHY, "running": running, "faults": [{"id": "web1-freeze"}]}
    lines = status.table(broken, colour=False).splitlines()
    assert f"running   {running}" in lines and lines[-1].startswith("next      let it end")
    assert "fault.heal" not in lines[-1]


@pytest.mark.parametrize(
    ("durability", "degraded", "chosen", "advised"),
    [
        (Durability.ASYNC, "", Durability.DURABLE, True),
        (Durability.DURABLE, "", Durability.AVAILABLE, True),
        (Durability.DURABLE, "", Durability.DURABLE, False),
        (Durability.AVAILABLE, "web1", Durability.DURABLE, False),
        (NONE, "", Durability.DURABLE, False),
    ],
)
def test_a_durability_that_nobody_chose_is_told(
    durability: InForce, degraded: str, chosen: Durability, advised: bool
) -> None:
    """Set by hand: the site acknowledges by the durability in force, but a student expects the chosen one."""
    lines = unchosen(replace(OPEN, durability=durability), degraded, chosen)
    assert [line.partition("next: ")[2] for line in lines] == (["invoke lab.provision"] if advised else [])
