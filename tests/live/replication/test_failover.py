"""Promotions on the real lab: planned and back, and a dead primary replaced with the commands that status names."""

import pytest

from lab.nodes import lifecycle, site, vm_power
from lab.nodes.facts import databases_of
from lab.nodes.ssh import Machine
from lab.topology import Lab
from lab.wait import until
from tests.live.conftest import PROMOTE_S, REJOIN_S, invoke, must, primary, wrong
from tests.live.nodes.test_lifecycle import leave_note

pytestmark = pytest.mark.live


def named(command: str) -> bool:
    """Whether status names this command as the next one."""
    return f"next      invoke {command}" in must("lab.status")


@pytest.mark.slow
def test_roles_change_and_change_back(roles: Lab) -> None:
    """No deploy: the site writes to the new primary, the old one replicates; running it again changes nothing."""
    output = must("db.promote", "web2", timeout=PROMOTE_S)
    assert len(output.splitlines()) == 3 and "web1 replicates from it" in output, output
    assert (primary(roles), site.writer(roles, "")) == ("web2", "web2")
    assert "nothing was changed" in must("db.promote", "web2")
    assert must("db.status").splitlines()[0].startswith("web2: primary, writable, durability durable, semi-sync ON")
    assert must("lab.provision").strip() == "nothing to change", "a converge does not turn roles back"
    must("db.promote", "web1", timeout=PROMOTE_S)
    assert primary(roles) == "web1" and wrong(roles) == []


def test_a_dead_primary_is_replaced_and_comes_back_with_two_commands(roles: Lab) -> None:
    """Status names each when it is due; in between the durability is lower than chosen, and status shows that."""
    vm_power.power_off(roles.node("web1"))
    until("status names the promotion", lambda: named("db.promote web2"), 60, every=2)
    output = must("db.promote", "web2", timeout=PROMOTE_S)
    assert "available (degraded by promote); next: invoke db.rejoin web1" in output
    assert site.writer(roles, "") == "web2" and named("db.rejoin web1")
    output = must("db.rejoin", "web1", timeout=REJOIN_S)
    assert "commits on web2 are durable" in output, output
    until("the lab is healthy", lambda: not wrong(roles), 60, every=2)
    must("db.promote", "web1", timeout=PROMOTE_S)
    assert wrong(roles) == []


@pytest.mark.slow
def test_a_replica_that_threw_away_what_it_had_is_not_promoted(roles: Lab, machines: dict[str, Machine]) -> None:
    """It restarted while the primary was frozen: what it had confirmed but not applied may be on web1 only."""
    must("fault.inject", "freeze", "web1")
    try:
        machines["web2"].run("systemctl restart mysql", timeout=120)
        done = invoke("db.promote", "web2", timeout=PROMOTE_S)
        assert done.returncode == 1 and "web1 has not been seen since" in done.stderr, done.stderr
        assert "--accept-data-loss" in done.stderr and primary(roles) is None
    finally:
        must("fault.heal", timeout=REJOIN_S)
    until("the lab is healthy", lambda: not wrong(roles), 120, every=2)


@pytest.mark.slow
def test_a_replica_that_never_catches_up_costs_no_writes(roles: Lab) -> None:
    """It applies everything ten minutes late: after a minute exit 1, and web1 was never closed."""
    must("fault.inject", "replication-lag", "web2", "--seconds", "600")
    try:
        leave_note(roles)
        done = invoke("db.promote", "web2", timeout=PROMOTE_S)
        assert done.returncode == 1 and "does not catch up within" in done.stderr, done.stderr
        assert (primary(roles), site.writer(roles, "")) == ("web1", "web1")
    finally:
        must("fault.heal", timeout=REJOIN_S)


@pytest.mark.slow
@pytest.mark.parametrize("first", ["web1", "web2"])
def test_whatever_the_order_of_boots_nobody_takes_writes_unasked(
    roles: Lab, machines: dict[str, Machine], first: str
) -> None:
    """Both lost power after a change of roles: closed until the command that status names, then as before."""
    both = [machines["web1"], machines["web2"]]
    must("db.promote", "web2", timeout=PROMOTE_S)
    for machine in both:
        vm_power.power_off(machine.node)
        machine.close()
    for machine in sorted(both, key=lambda it: it.node.name != first):
        vm_power.power_on(machine.node)
        lifecycle.answering(machine)
    until("both databases answer", lambda: None not in databases_of(both).values(), 120, every=2)
    assert [it.node for it in databases_of(both).values() if it and it.writable] == []
    assert named("lab.provision")
    must("lab.provision", timeout=REJOIN_S)
    assert (primary(roles), site.writer(roles, "")) == ("web2", "web2")
    must("db.promote", "web1", timeout=PROMOTE_S)


@pytest.mark.slow
def test_what_may_be_lost_is_refused_and_named(roles: Lab) -> None:
    """Asynchronous, so it is not known what web1 acknowledged last: exit 1, and nothing was changed."""
    must("db.durability", "async")
    vm_power.power_off(roles.node("web1"))
    done = invoke("db.promote", "web2", timeout=PROMOTE_S)
    assert done.returncode == 1 and "durability async, semi-sync OFF" in done.stderr, done.stderr
    assert "--accept-data-loss" in done.stderr and primary(roles) is None
    assert "may be lost: " in must("db.promote", "web2", "--accept-data-loss", timeout=PROMOTE_S)
    must("db.rejoin", "web1", timeout=REJOIN_S)
    must("db.promote", "web1", timeout=PROMOTE_S)
    must("db.durability", "durable")


@pytest.mark.parametrize("name", ["web3", "lb1"])
def test_what_is_no_database_is_not_promoted(lab: Lab, name: str) -> None:
    """Exit 2, and the names to choose from."""
    done = invoke("db.promote", name)
    assert done.returncode == 2 and "next: " in done.stderr
