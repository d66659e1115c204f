"""What a converge changes: counted, listed on request, shown as it would be."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from fabfile import balancer, database
from fabfile.roles import ROLES
from lab import progress
from lab.desired import ensure
from lab.desired.state import NEWCOMERS
from lab.desired.target import Target
from lab.operations import converge
from lab.release import Release
from lab.replication import assign_roles
from lab.state import choices
from tests.unit.operations.test_converge import LAB, SYSTEM, Double, differs, machines

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


def order(machines: list[Double], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The nodes in the order in which they are changed, and the pair."""
    found: list[str] = []
    monkeypatch.setattr(ensure, "apply", lambda machine, _: found.append(machine.node.name))

    def converge(pair: assign_roles.Pair) -> list[str]:
        found.append("databases")
        return []

    monkeypatch.setattr(assign_roles, "converge", converge)
    return found


def test_a_balancer_changes_when_its_new_server_can_serve(
    machines: list[Double], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It and its account in the databases are made before: no visitor meets a server that is not ready."""
    found = order(machines, monkeypatch)
    for machine, path in zip(machines, (HAPROXY, database.PATIENCE, database.PATIENCE), strict=True):
        differs(machine, path)
    machines[0].report += "\n=weblab= answer newcomers\nweb2"
    changed = converge.everything(LAB, ROLES).changed
    assert set(found[:2]) == {"web1", "web2"} and found[2:] == ["databases", "lb1"]
    assert changed[-1] == "lb1: 1 file, 1 service changed"


@pytest.mark.parametrize("part", [{"only": ["balancer"]}, {"node": "lb1"}, {}], ids=["a role", "a node", "web2 is off"])
def test_a_new_server_that_was_not_converged_too_gets_no_requests(
    machines: list[Double], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], part: dict[str, Any]
) -> None:
    """lab.yml was edited and lab.up did not follow: its machine may not even exist."""
    found = order(machines, monkeypatch)
    differs(machines[0], HAPROXY)
    machines[0].report += "\n=weblab= answer newcomers\nweb2"
    if not part:
        del machines[2]
    assert converge.everything(LAB, ROLES, **part).changed == [] and "lb1" not in found
    assert "next: invoke lab.up" in capsys.readouterr().err


def test_a_balancer_without_a_new_server_waits_for_nobody(
    machines: list[Double], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart of MySQL waits until HAProxy sends requests to the others: its file may be what has to change."""
    found = order(machines, monkeypatch)
    differs(machines[0], HAPROXY)
    converge.everything(LAB, ROLES)
    assert found == ["lb1", "databases"]


@pytest.mark.parametrize(
    ("file", "newcomers"),
    [
        ("", ""),
        ("    bind :80\n", ""),
        ("    server web1 192.168.56.11:80 check\n    server web10 192.168.56.20:80 check\n", "web2\n"),
        ("    server web1 192.168.56.11:80 check\n    server web2 192.168.56.12:80 check\n", ""),
    ],
    ids=["no file", "of the package", "without web2", "complete"],
)
def test_new_servers_are_those_that_haproxys_file_lacks(tmp_path: Path, file: str, newcomers: str) -> None:
    """A HAProxy without servers has no visitors to protect."""
    target = Target(LAB, LAB.node("lb1"), Release.of(SYSTEM), choices.DEFAULTS, {})
    path = tmp_path / "haproxy.cfg"
    path.write_text(file) if file else None
    script = balancer.desired(target).questions[NEWCOMERS].replace(HAPROXY, str(path))
    assert subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout == newcomers
