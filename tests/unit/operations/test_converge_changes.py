"""What a converge changes: counted, listed on request, shown as it would be."""

import pytest

from fabfile import balancer, database
from fabfile.roles import ROLES
from lab import progress
from lab.desired import ensure
from lab.operations import converge
from tests.unit.operations.test_converge import LAB, Double, differs, machines

__all__ = ["machines"]  # the three nodes, as desired
HAPROXY = "/etc/haproxy/haproxy.cfg"
RELOAD = balancer.RELOAD % "haproxy"


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each change that --verbose lists."""
    changes: list[str] = []
    monkeypatch.setattr(progress, "change", lambda where, text: changes.append(f"{where}: {text}"))
    return changes


def test_one_changed_file_is_one_more_round_trip_on_that_node_only(machines: list[Double], listed: list[str]) -> None:
    """The balancer's file was changed by hand: it is written, HAProxy reloads, nothing else is touched."""
    lb1 = machines[0]
    differs(lb1, HAPROXY)
    assert converge.everything(LAB, ROLES).changed == ["lb1: 1 file, 1 service changed"]
    assert listed == [f"lb1: file {HAPROXY}", f"lb1: {RELOAD}"]
    assert [machine.channels for machine in machines] == [3, 2, 2]
    assert RELOAD in lb1.scripts[1] and "dnsmasq" not in lb1.scripts[1]


def test_a_change_of_systemds_file_restarts_nothing(machines: list[Double], listed: list[str]) -> None:
    """How long MySQL may take to stop is systemd's business: it reads the file, MySQL goes on."""
    differs(machines[1], database.PATIENCE)
    assert converge.everything(LAB, ROLES).changed == ["web1: 1 file changed"]
    assert listed == [f"web1: file {database.PATIENCE}", "web1: systemctl daemon-reload"]
    assert "systemctl daemon-reload" in machines[1].scripts[1] and "restart" not in machines[1].scripts[1]


def test_a_dry_run_names_every_change_and_shows_the_files(
    machines: list[Double], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many they are; nothing is changed."""
    differs(machines[0], HAPROXY)
    monkeypatch.setattr(ensure, "show", lambda machine, difference: "-old\n+new")
    changed = converge.everything(LAB, ROLES, dry_run=True).changed
    assert changed == [f"lb1: file {HAPROXY}, {RELOAD}\n-old\n+new"]
    assert [machine.channels for machine in machines] == [2, 2, 2]
