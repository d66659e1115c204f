"""Faults by hand, on the real lab: each is seen to be real by somebody else than who injected it, and goes."""

import json
import os
import signal
import time
from collections.abc import Iterator

import pytest

from lab.faults import ledger
from lab.faults.kinds import Fault
from lab.injection import guest
from lab.nodes import vm_power
from lab.nodes.ssh import Machine
from lab.topology import Lab
from lab.wait import until
from tests.live.conftest import invoke, must, start, wrong

pytestmark = pytest.mark.live
HEAL_S = 300.0

# What to inject, and a question to a node whose answer tells that it is real.
INSIDE = {
    "service-kill": (["service-kill", "web2", "--service", "nginx"], "web2", "! systemctl is-active nginx"),
    "service-kill, restarted": (
        ["service-kill", "web2", "--service", "mysql", "--restarts"],
        "web2",
        "journalctl -u mysql --since -60s | grep -q 'status=9/KILL'",
    ),
    "service-stop": (["service-stop", "web2", "--service", "php-fpm"], "web2", "! pgrep -f '^php-fpm: master'"),
    "service-freeze": (
        ["service-freeze", "web2", "--service", "mysql"],
        "web2",
        "! timeout 2 mysql -e 'SELECT 1'",
    ),
    "partition": (["partition", "web2", "--peer", "web1"], "web1", "! timeout 2 bash -c '</dev/tcp/192.168.56.12/80'"),
    "slow": (
        ["slow", "web2", "--delay-ms", "300"],
        "web1",
        "t=$(date +%s%N); timeout 5 bash -c '</dev/tcp/192.168.56.12/80'; [ $(( $(date +%s%N) - t )) -gt 290000000 ]",
    ),
    "disk-full": (["disk-full", "web2"], "web2", "! sudo -u www-data dd if=/dev/zero of=/var/tmp/more bs=1M count=2"),
    "cpu-hog": (["cpu-hog", "web2"], "web2", "sleep 3; ps -eo pcpu --sort=-pcpu | sed -n 2p | grep -qE ' *[3-9][0-9]'"),
    "memory-hog": (
        ["memory-hog", "web2"],
        "web2",
        "awk '/^MemAvailable/ {a=$2} /^MemTotal/ {t=$2} END {exit !(a < t / 4)}' /proc/meminfo",
    ),
    "replication-stop": (
        ["replication-stop", "web2"],
        "web2",
        "mysql --vertical -e 'SHOW REPLICA STATUS' | grep -q 'Replica_IO_Running: No'",
    ),
    "replication-lag": (
        ["replication-lag", "web2", "--seconds", "20"],
        "web2",
        "mysql --vertical -e 'SHOW REPLICA STATUS' | grep -q 'SQL_Delay: 20'",
    ),
    "php-limit": (
        ["php-limit", "web2", "--pages-per-s", "5"],
        "web2",
        "t=$(date +%s%N); seq 10 | xargs -P 5 -I{} curl -s -o /dev/null http://127.0.0.1/; "
        "[ $(( $(date +%s%N) - t )) -gt 1900000000 ]",
    ),
    "replication-slow": (
        ["replication-slow", "web2", "--rate-kbit", "2000"],
        "web2",
        "nft list ruleset | grep -q 'limit rate over 250 kbytes'",
    ),
}


@pytest.fixture
def no_faults(healthy: Lab) -> Iterator[Lab]:
    """The lab, and nothing injected after the test."""
    yield healthy
    if ledger.entries():
        must("fault.heal", timeout=HEAL_S)


SHORT = {"service-kill", "partition"}  # the others are slow: make test-all


@pytest.mark.parametrize(
    "case",
    [pytest.param(it, id=name, marks=() if name in SHORT else pytest.mark.slow) for name, it in INSIDE.items()],
)
def test_a_fault_inside_a_node_is_real_and_goes(
    no_faults: Lab, machines: dict[str, Machine], case: tuple[list[str], str, str]
) -> None:
    """Status shows it in between, and the way to undo it."""
    words, node, question = case
    must("fault.inject", *words)
    assert machines[node].run(f"{{ {question}; }} >/dev/null 2>&1", ok=(0, 1), timeout=60).exit_code == 0
    (active,) = json.loads(must("lab.status", "--json"))["faults"]
    assert (active["kind"], active["node"]) == (words[0], words[1])
    assert active["id"] in must("fault.heal", timeout=HEAL_S)
    assert json.loads(must("lab.status", "--json"))["faults"] == []
    until("the lab is healthy", lambda: not wrong(no_faults), 90, every=2)


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("freeze", "paused"),
        pytest.param("power-off", "off", marks=pytest.mark.slow),
        pytest.param("crash", "running", marks=pytest.mark.slow),
    ],
)
def test_a_fault_of_a_whole_machine_is_real_and_goes(no_faults: Lab, kind: str, state: str) -> None:
    """The hypervisor tells it from outside; nothing else can break there; a second heal finds nothing."""
    must("fault.inject", kind, "web2")
    assert vm_power.states(no_faults)["web2"] == state
    shown = {it["name"]: it["state"] for it in json.loads(must("lab.status", "--json"))["nodes"]}
    assert shown["web2"] in {state, "unreachable"}
    refused = invoke("fault.inject", "service-stop", "web2", "--service", "nginx")
    assert refused.returncode == 1 and "nothing else can break there" in refused.stderr
    must("fault.heal", timeout=HEAL_S)
    assert must("fault.heal").strip() == "no fault is active"
    until("the lab is healthy", lambda: not wrong(no_faults), 120, every=2)


def test_a_skewed_clock_is_put_back(no_faults: Lab, machines: dict[str, Machine]) -> None:
    """An hour ahead, then as before."""
    must("fault.inject", "clock-skew", "web2", "--seconds", "3600")
    assert abs(float(machines["web2"].run("date +%s").stdout) - time.time() - 3600) < 5
    must("fault.heal")
    assert abs(float(machines["web2"].run("date +%s").stdout) - time.time()) < 5


def test_a_network_fault_ends_by_itself(no_faults: Lab, machines: dict[str, Machine]) -> None:
    """Whoever injected it is killed: a timer in the guest heals it, and `fault.heal` then finds it gone."""
    made = guest.scripts(Fault("slow", "web2", options={"delay_ms": 100}), no_faults)

    def shows(question: str) -> bool:
        return machines["web2"].script(question, ok=(0, 1), title="sees").exit_code == 0

    injector = start("fault.inject", "slow", "web2", "--delay-ms", "100", "--for", "15")
    try:
        until("it is there", lambda: ledger.entries() and shows(made.seen), 30)
    finally:
        os.killpg(injector.pid, signal.SIGKILL)
        injector.communicate(timeout=30)
    until("it is gone", lambda: shows(made.gone), 45)
    assert "web2-slow is gone" in must("fault.heal")


@pytest.mark.slow
def test_two_who_heal_at_once_heal_everything_and_lose_nothing(no_faults: Lab) -> None:
    """A machine, a service and the network, each healed by both: neither fails, and the ledger is empty."""
    must("fault.inject", "service-stop", "web1", "--service", "nginx")
    must("fault.inject", "slow", "lb1", "--delay-ms", "50")
    must("fault.inject", "freeze", "web2")
    both = [start("fault.heal") for _ in range(2)]
    outputs = [it.communicate(timeout=HEAL_S)[0] for it in both]
    assert [it.returncode for it in both] == [0, 0], outputs
    assert ledger.entries() == []
    until("the lab is healthy", lambda: not wrong(no_faults), 120, every=2)


def test_mistakes_are_told_all_at_once(lab: Lab) -> None:
    """Exit 2, nothing was touched."""
    done = invoke("fault.inject", "service-kil", "web9", "--service", "ngin")
    assert done.returncode == 2
    assert "service-kil" in done.stderr and "web9" in done.stderr
    assert must("fault.list").startswith("no fault is active")
