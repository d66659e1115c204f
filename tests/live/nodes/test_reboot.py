"""Each node is rebooted: what works again by itself, and what waits for a converge."""

import pytest

from lab.mysql import server_state
from lab.nodes import lifecycle, site
from lab.nodes.facts import databases_of
from lab.nodes.ssh import Machine
from lab.topology import Lab
from lab.wait import until
from tests.live.conftest import must, wrong

pytestmark = pytest.mark.live
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


def reboot(machine: Machine) -> None:
    """Reboot a machine as an administrator would, and wait until it answers with another boot id."""
    before = machine.run(BOOT_ID).stdout
    machine.run("systemctl --no-block reboot")

    def another() -> bool:
        machine.close()
        return machine.run(BOOT_ID, timeout=10).stdout != before

    until("boots", another, lifecycle.BOOT_TIMEOUT_S, every=2, where=machine.node.name)


def served_by(lab: Lab) -> set[str]:
    """The servers of the next four pages."""
    return {site.fetch(lab).headers.get("x-served-by", "") for _ in range(4)}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lb1", "web2"])
def test_balancer_and_replica_come_back_by_themselves(healthy: Lab, machines: dict[str, Machine], name: str) -> None:
    """Without any command the lab is healthy again."""
    reboot(machines[name])
    until("the lab is healthy", lambda: not wrong(healthy), 120, every=2)
    assert must("lab.provision").strip() == "nothing to change"


@pytest.mark.slow
def test_a_rebooted_primary_serves_readers_and_waits_with_writes(healthy: Lab, machines: dict[str, Machine]) -> None:
    """It may no longer be the primary, so it stays read-only until a converge is certain that it is."""
    reboot(machines["web1"])
    until("web1 serves readers", lambda: "web1" in served_by(healthy), 120, every=2)
    asked = databases_of([machines["web1"], machines["web2"]])
    assert [it.writable for it in asked.values() if it] == [False, False]
    refused = site.fetch(healthy, "/api/notes", method="POST", body='{"token": "too-early", "body": "x"}')
    assert refused.status == 503, refused.text
    must("lab.provision")
    asked = databases_of([machines["web1"], machines["web2"]])
    assert [it.role for it in asked.values() if isinstance(it, server_state.Database)] == ["primary", "replica"]
    written = site.fetch(healthy, "/api/notes", method="POST", body='{"token": "after-the-reboot", "body": "x"}')
    assert written.status in (200, 201), written.text
