"""MySQL restarts in turn. Nodes are a simulation that executes SQL and bash; a pause is a second of its time."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from lab import progress, wait
from lab.desired import ensure
from lab.desired.scripts import apply_script
from lab.desired.state import Difference, Unit
from lab.errors import CheckFailed, CommandFailed, TimedOut
from lab.mysql.server_state import Database
from lab.nodes import facts
from lab.nodes.ssh import Answer
from lab.replication import rolling_restart
from lab.topology import Node
from tests.support.pairs import CLOSED, LAB, OPEN, REPLICA, U1, WEB1, WEB2

MYSQL = Unit("mysql.service", watches=("my.cnf",), on_change="systemctl restart mysql", in_turn=True)
LB1 = LAB.having("balancer")[0]
STARTS_S, NOTICED_S, FOLLOWS_S = 4, 2, 3


@dataclass
class Cluster:
    """Two web servers with MySQL behind HAProxy, which notices changes two seconds late; `now` is in seconds."""

    state: dict[str, Database] = field(default_factory=lambda: {"web1": OPEN, "web2": REPLICA})
    running: tuple[Node, ...] = (LB1, WEB1, WEB2)
    now: int = 0
    restarts: list[str] = field(default_factory=list)
    back: dict[str, int] = field(default_factory=dict)
    served_alone: list[bool] = field(default_factory=list)
    hangs: bool = False
    lags: bool = False
    drained: str = ""

    @property
    def machines(self) -> list[Any]:
        """An SSH connection to each node that runs."""
        return [Double(node, self) for node in self.running]

    def answers(self, name: str) -> bool:
        """Whether MySQL runs there now."""
        return self.now >= self.back.get(name, 0)

    def up(self, name: str) -> bool:
        """The status that HAProxy reports for it."""
        return self.now >= self.back.get(name, -NOTICED_S) + NOTICED_S

    def status(self, name: str) -> str:
        """The status in HAProxy's words."""
        return "DRAIN" if name == self.drained else "UP" if self.up(name) else "DOWN"

    def asked(self, machines: Sequence[Any]) -> dict[str, Database | None]:
        """Replaces facts.databases_of."""
        return {machine.node.name: self.of(machine.node.name) for machine in machines}

    def of(self, name: str) -> Database | None:
        """The state of a server, which replicates again some seconds after both run."""
        it = self.state[name]
        if not self.answers(name):
            return None
        follows = self.now >= max(self.back.values(), default=-FOLLOWS_S) + FOLLOWS_S
        behind = replace(it, gtid_executed=f"{U1}:1-40") if self.lags and it.source else it
        return replace(behind, receiving=follows, applying=follows) if it.source else it

    def restart(self, name: str) -> None:
        """Its MySQL stops and comes back read-only; records whether the other server serves meanwhile."""
        other = "web2" if name == "web1" else "web1"
        self.served_alone.append(self.answers(other) and self.up(other))
        self.restarts.append(name)
        self.back[name] = self.now + STARTS_S
        self.state[name] = replace(self.state[name], writable=False)


@dataclass
class Double:
    """A node of the cluster."""

    node: Node
    cluster: Cluster

    def ready(self, text: str, **_: object) -> str:
        """The shell is just its text here."""
        return text

    def script(self, text: str, *, title: str, **_: object) -> Answer:
        """Execute the script."""
        name, cluster = self.node.name, self.cluster
        if text == facts.BALANCER:
            rows = [f"web,{it},{cluster.status(it)},1,L7OK" for it in ("web1", "web2")]
            return Answer(0, "\n".join(["# pxname,svname,status,weight,check_status", *rows]), "")
        if "super_read_only = ON" in text:
            if cluster.hangs:
                raise CommandFailed(name, title, 1, "Lock wait timeout exceeded")
            cluster.state[name] = replace(cluster.state[name], writable=False)
        if "super_read_only = IF" in text:
            cluster.state[name] = replace(cluster.state[name], writable=True)
        if "systemctl restart mysql" in text:
            if cluster.state[name].writable:
                raise AssertionError(f"{name} stops while it takes writes")
            cluster.restart(name)
        return Answer(0, "", "")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A healthy one."""
    made = Cluster()

    def pause(seconds: float) -> None:
        made.now += 1

    monkeypatch.setattr(wait, "pause", pause)
    monkeypatch.setattr(rolling_restart, "databases_of", made.asked)
    monkeypatch.setattr(rolling_restart, "READY_S", 30.0)
    monkeypatch.setattr(progress, "say", lambda *_: None)
    return made


def due(*names: str) -> dict[str, tuple[Unit, ...]]:
    """The nodes whose MySQL has to restart."""
    return dict.fromkeys(names, (MYSQL,))


def test_the_replica_first_and_the_primary_when_the_replica_serves_again(cluster: Cluster) -> None:
    """HAProxy sees it UP, it replicates and has caught up: reads are answered all the time."""
    rolling_restart.in_turn(LAB, cluster.machines, due("web1", "web2"))
    assert cluster.restarts == ["web2", "web1"] and cluster.served_alone == [True, True]
    assert cluster.now >= STARTS_S + FOLLOWS_S


def test_it_is_the_roles_that_count_and_not_the_names(cluster: Cluster) -> None:
    """web2 is the primary."""
    cluster.state |= {
        "web1": replace(REPLICA, node="web1", source=str(WEB2.ip)),
        "web2": replace(OPEN, node="web2"),
    }
    rolling_restart.in_turn(LAB, cluster.machines, due("web1", "web2"))
    assert cluster.restarts == ["web1", "web2"] and cluster.served_alone == [True, True]


@pytest.mark.parametrize("name", ["web1", "web2"])
def test_a_single_node_obeys_the_same_rule(cluster: Cluster, name: str) -> None:
    """The other node restarted a moment ago."""
    cluster.back = {"web2" if name == "web1" else "web1": STARTS_S}
    rolling_restart.in_turn(LAB, cluster.machines, due(name))
    assert cluster.restarts == [name] and cluster.served_alone == [True]


@pytest.mark.parametrize("has_site", [False, True])
def test_without_data_of_the_site_all_restart_at_once(cluster: Cluster, has_site: bool) -> None:
    """A new lab serves no visitors yet; one server with data is reason enough to restart one by one."""
    new = replace(CLOSED, has_site=False)
    cluster.state = {"web1": replace(new, has_site=has_site), "web2": replace(new, node="web2")}
    rolling_restart.in_turn(LAB, cluster.machines, due("web1", "web2"))
    assert sorted(cluster.restarts) == ["web1", "web2"] and (cluster.now == 0) is not has_site


def test_nobody_left_to_read_from_is_refused_at_once(cluster: Cluster) -> None:
    """The other machine is off: the restart stays due, and the error names the command that makes it possible."""
    cluster.running = (LB1, WEB1)
    with pytest.raises(CheckFailed, match="web2 does not run") as caught:
        rolling_restart.in_turn(LAB, cluster.machines, due("web1"))
    assert caught.value.hint == "invoke lab.up" and cluster.restarts == []
    assert cluster.state["web1"].writable


def test_a_drained_server_answers_no_reads_alone(cluster: Cluster) -> None:
    """That is refused at once too; the drained server itself may restart."""
    cluster.drained = "web2"
    with pytest.raises(CheckFailed, match="web2 is drained") as caught:
        rolling_restart.in_turn(LAB, cluster.machines, due("web1"))
    assert caught.value.hint == "invoke lb.ready web2" and cluster.restarts == [] and cluster.now == 0
    rolling_restart.in_turn(LAB, cluster.machines, due("web2"))
    assert cluster.restarts == ["web2"]


NEVER = {
    "its MySQL is down": ("web1", "MySQL on web2 does not answer", {"back": {"web2": 10**9}}),
    "HAProxy does not trust it": ("web2", "HAProxy: web1 is DOWN", {"back": {"web1": -1}, "now": 0}),
    "it never catches up": ("web1", "web2 has not caught up", {"lags": True}),
}


@pytest.mark.parametrize(("name", "why", "how"), NEVER.values(), ids=NEVER.keys())
def test_where_the_other_one_does_not_serve_nothing_restarts(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, name: str, why: str, how: dict[str, Any]
) -> None:
    """The reason is the evidence; the primary was not closed."""
    monkeypatch.setattr(rolling_restart, "READY_S", 0.0)
    for key, value in how.items():
        setattr(cluster, key, value)
    with pytest.raises(TimedOut) as caught:
        rolling_restart.in_turn(LAB, cluster.machines, due(name))
    assert why in caught.value.evidence and cluster.restarts == [] and cluster.state["web1"].writable


def test_a_primary_whose_commits_hang_is_not_stopped(cluster: Cluster) -> None:
    """A stopping MySQL would release them unconfirmed; it takes writes as before."""
    cluster.hangs = True
    with pytest.raises(CheckFailed, match="its commits hang"):
        rolling_restart.in_turn(LAB, cluster.machines, due("web1"))
    assert cluster.restarts == [] and cluster.state["web1"].writable


def test_a_replica_that_does_not_start_leaves_the_primary_alone(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault that the configuration check missed stops at the first server."""

    def fails(machine: Double, difference: Difference) -> None:
        raise CommandFailed(machine.node.name, "systemctl restart mysql", 1, "")

    monkeypatch.setattr(ensure, "apply", fails)
    with pytest.raises(CommandFailed, match="web2"):
        rolling_restart.in_turn(LAB, cluster.machines, due("web1", "web2"))
    assert cluster.state["web1"].writable


def test_a_change_of_the_node_marks_the_restart_and_leaves_it_due() -> None:
    """Whatever interrupts the wait, the next converge knows that MySQL has not read its new file."""
    marked = apply_script(Difference(later=(MYSQL,)))
    assert "touch" in marked and "mysql.service" in marked and "restart" not in marked
