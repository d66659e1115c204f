"""The scripts of faults inside a node: valid bash; those that need no other machine are run on this one."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab import topology
from lab.faults.kinds import Fault
from lab.injection import guest, scripts
from tests.support.fake_node import bash, fake, places

__all__ = ["places"]  # the fixture that puts a fake node's commands first

LAB = topology.load()
INSIDE: list[dict[str, Any]] = [
    {"kind": "service-kill", "node": "web1", "service": "nginx"},
    {"kind": "service-kill", "node": "web1", "service": "mysql", "restarts": True},
    {"kind": "service-stop", "node": "web1", "service": "php-fpm"},
    {"kind": "service-freeze", "node": "lb1", "service": "haproxy"},
    {"kind": "partition", "node": "web2", "peer": "all"},
    {"kind": "partition", "node": "web2", "peer": "lb1"},
    {"kind": "slow", "node": "web2", "delay_ms": 200, "jitter_ms": 20, "loss_percent": 5, "rate_kbit": 512},
    {"kind": "disk-full", "node": "web2"},
    {"kind": "cpu-hog", "node": "web2"},
    {"kind": "memory-hog", "node": "web2"},
    {"kind": "clock-skew", "node": "web2", "seconds": -3600},
    {"kind": "replication-stop", "node": "web2"},
    {"kind": "replication-lag", "node": "web2", "seconds": 20},
    {"kind": "replication-slow", "node": "web2", "rate_kbit": 2000},
    {"kind": "php-limit", "node": "web1", "pages_per_s": 15},
]


def fault(given: dict[str, Any]) -> Fault:
    """A fault of this lab."""
    return Fault.parse(LAB, given)


@pytest.mark.parametrize("given", INSIDE, ids=lambda it: fault(it).id)
def test_every_script_is_bash(given: dict[str, Any]) -> None:
    """Bash parses it completely, with and without its timer."""
    made = guest.scripts(fault(given), LAB)
    texts = [made.seen, made.gone, made.inject, guest.with_timer(fault(given), made, 60)]
    texts.append(guest.without_timer(fault(given), made))
    for text in texts:
        done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), text


def test_network_faults_end_by_themselves_and_others_do_not() -> None:
    """The command that cut a node off may never return; a killed service stays dead."""
    cut = fault({"kind": "partition", "node": "web2", "peer": "all"})
    text = guest.with_timer(cut, guest.scripts(cut, LAB), 60)
    assert "systemd-run" in text and "--on-active=60" in text and "nft delete table" in text
    assert "type filter hook" not in text, "the way back is there before the fault"
    killed = fault({"kind": "service-kill", "node": "web1", "service": "nginx"})
    assert "--on-active" not in guest.with_timer(killed, guest.scripts(killed, LAB), 60)


def test_a_partition_cuts_the_lab_network_and_never_the_management() -> None:
    """From all nodes: the lab's network. From one: its address. Packets are dropped, not rejected."""
    every = guest.scripts(fault({"kind": "partition", "node": "web2", "peer": "all"}), LAB).inject
    one = guest.scripts(fault({"kind": "partition", "node": "web2", "peer": "lb1"}), LAB).inject
    assert "ip saddr 192.168.56.0/24 drop" in every and "ip daddr 192.168.56.10 drop" in one
    assert "192.168.121" not in every + one and "reject" not in every + one


def test_netem_gets_what_was_asked_for(tmp_path: Path) -> None:
    """Delay with jitter, loss and rate, on the interface with the lab's address."""
    fake(tmp_path, "ip", "echo '3: eth1 inet 192.168.56.12/24'")
    fake(tmp_path, "tc", "exit 0")
    slow = guest.scripts(fault(INSIDE[6]), LAB)
    assert bash(slow.inject).returncode == 0
    calls = (tmp_path / "calls").read_text()
    assert "tc qdisc replace dev eth1 root netem delay 200ms 20ms loss 5% rate 512kbit" in calls


def test_a_skewed_clock_is_seen_and_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured against the time since boot. The clock is a file: the scripts call a fake `date`."""
    for module in (guest, scripts):
        monkeypatch.setattr(module, "FOLDER", str(tmp_path / "faults"))
    (tmp_path / "ahead").write_text("0")
    show, put = "echo $(($(date +%s) + $(cat ahead)))", "word=${3#@}; echo $((word - $(date +%s))) > ahead"
    fake(tmp_path, "fake-clock", f'if [ "$1" = -u ]; then {put}; else {show}; fi')
    made = guest.scripts(fault(INSIDE[10]), LAB)
    inject, seen, heal, gone = (
        text.replace("date ", "fake-clock ") for text in (made.inject, made.seen, made.heal, made.gone)
    )
    assert bash(inject).returncode == 0
    assert abs(int((tmp_path / "ahead").read_text()) + 3600) <= 1
    assert bash(seen).returncode == 0 and bash(gone).returncode == 1
    assert bash(heal).returncode == 0
    assert abs(int((tmp_path / "ahead").read_text())) <= 1
    assert bash(gone).returncode == 0 and bash(heal).returncode == 0


def test_a_killed_service_counts_when_another_process_runs_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without restarts it must stay dead; a service that does not run can't be killed."""
    for module in (guest, scripts):
        monkeypatch.setattr(module, "FOLDER", str(tmp_path / "faults"))
    body = 'case "$*" in *Id*) echo nginx.service;; *MainPID*) cat pid;; is-active*) cat state; esac'
    fake(tmp_path, "systemctl", body)
    monkeypatch.setattr(guest, "GROUPS", str(tmp_path))
    (tmp_path / "nginx.service").mkdir()
    text = guest.scripts(fault(INSIDE[0]), LAB)
    prepare = text.prepare.replace("/run/systemd/system", str(tmp_path))
    (tmp_path / "pid").write_text("4711\n")
    (tmp_path / "state").write_text("active\n")
    assert bash(prepare).returncode == 0 and bash(text.inject).returncode == 0
    assert (tmp_path / "nginx.service" / "cgroup.kill").read_text() == "1\n"
    assert bash(text.seen).returncode == 1, "the same process still runs"
    (tmp_path / "pid").write_text("0\n")
    (tmp_path / "state").write_text("failed\n")
    assert bash(text.seen).returncode == 0
    done = bash(prepare)
    assert done.returncode == 1 and "nginx.service does not run" in done.stdout


@pytest.mark.parametrize("saved", ["", "\n", None], ids=["empty", "a line end", "absent"])
@pytest.mark.parametrize("given", [INSIDE[0], INSIDE[2]], ids=lambda it: fault(it).id)
def test_a_service_without_a_name_is_not_the_group_of_all_services(
    given: dict[str, Any], saved: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killing that group would kill every service of the node."""
    for module in (guest, scripts):
        monkeypatch.setattr(module, "FOLDER", str(tmp_path / "faults"))
    fake(tmp_path, "systemctl", "exit 0")
    monkeypatch.setattr(guest, "GROUPS", str(tmp_path))
    (tmp_path / "cgroup.procs").write_text("")
    text = guest.scripts(fault(given), LAB)
    assert bash(text.prepare).returncode == 1, "no unit has that name"
    if saved is not None:
        (tmp_path / "faults").mkdir(exist_ok=True)
        (tmp_path / "faults" / f"{fault(given).id}.unit").write_text(saved)
    assert bash(text.inject).returncode != 0
    assert not (tmp_path / "cgroup.kill").exists()


def test_replication_is_slow_and_nothing_else_is(tmp_path: Path) -> None:
    """Only packets from a MySQL server above the rate are dropped: 2000 kbit are 250 kB."""
    fake(tmp_path, "nft", "exit 0")
    assert bash(guest.scripts(fault(INSIDE[13]), LAB).inject).returncode == 0
    calls = (tmp_path / "calls").read_text()
    assert "hook input" in calls and "tcp sport 3306 limit rate over 250 kbytes/second burst 128 kbytes drop" in calls


@pytest.mark.parametrize("given", INSIDE[11:13], ids=lambda it: fault(it).id)
def test_a_replica_that_was_promoted_since_has_nothing_to_heal(tmp_path: Path, given: dict[str, Any]) -> None:
    """It has no source any more and must not get one; a server that does not answer does not count as promoted."""
    made = guest.scripts(fault(given), LAB)
    fake(tmp_path, "mysql", 'case "$*" in *STOP*|*START*) exit 1;; esac')
    assert bash(made.heal).returncode == 0 and bash(made.gone).returncode == 0
    assert "SOURCE_DELAY" not in (tmp_path / "calls").read_text()
    fake(tmp_path, "mysql", "exit 1")
    assert bash(made.heal).returncode != 0 and bash(made.gone).returncode != 0


@pytest.mark.parametrize("given", INSIDE[11:14], ids=lambda it: fault(it).id)
def test_a_primary_has_no_replication_to_break(tmp_path: Path, given: dict[str, Any]) -> None:
    """It is refused, by name, before anything is changed; a replica is not."""
    prepare = guest.scripts(fault(given), LAB).prepare
    fake(tmp_path, "uname", "echo web2")
    fake(tmp_path, "mysql", "exit 0")
    done = bash(prepare)
    assert (done.returncode, done.stdout) == (1, "web2 is not a replica\n")
    fake(tmp_path, "mysql", "echo Waiting for source to send event")
    assert bash(prepare).returncode == 0


HEALS = {
    "service-kill": (INSIDE[0], "systemctl start nginx.service"),
    "service-stop": (INSIDE[2], "systemctl start nginx.service"),
    "service-freeze": (INSIDE[3], "systemctl kill -s CONT nginx.service"),
    "partition": (INSIDE[5], "nft delete table inet weblab_web2_partition_lb1"),
    "slow": (INSIDE[6], "tc qdisc del dev eth1 root"),
    "cpu-hog": (INSIDE[8], "systemctl stop weblab-fault-web2-cpu-hog"),
    "memory-hog": (INSIDE[9], "systemctl stop weblab-fault-web2-memory-hog"),
    "replication-stop": (INSIDE[11], "mysql -e START REPLICA"),
    "replication-slow": (INSIDE[13], "nft delete table inet weblab_web2_replication_slow"),
    "replication-lag": (INSIDE[12], "CHANGE REPLICATION SOURCE TO SOURCE_DELAY = 0; START REPLICA SQL_THREAD"),
}


@pytest.mark.parametrize(("given", "call"), HEALS.values(), ids=HEALS.keys())
def test_what_was_broken_is_told_to_go_on(tmp_path: Path, given: dict[str, Any], call: str) -> None:
    """By the program that broke it, and for the same service, interface, table or thread."""
    fake(tmp_path, "systemctl", 'case "$*" in *Id*) echo nginx.service;; *MainPID*) echo 4711;; esac')
    fake(tmp_path, "ip", "echo '3: eth1 inet 192.168.56.12/24'")
    fake(tmp_path, "mysql", "echo Waiting for source to send event")
    for name in ("nft", "tc"):
        fake(tmp_path, name, "exit 0")
    assert bash(guest.scripts(fault(given), LAB).heal).returncode == 0
    assert call in (tmp_path / "calls").read_text()


def test_a_service_that_was_killed_restarts_by_itself_again(tmp_path: Path) -> None:
    """The setting that kept it dead is removed with the fault."""
    extra = tmp_path / "nginx.service.d" / "weblab-fault.conf"
    extra.parent.mkdir()
    extra.write_text("[Service]\nRestart=no\n")
    fake(tmp_path, "systemctl", 'case "$*" in *Id*) echo nginx.service;; *MainPID*) echo 0;; esac')
    heal = guest.scripts(fault(INSIDE[0]), LAB).heal.replace("/run/systemd/system", str(tmp_path))
    assert bash(heal).returncode == 0
    calls = (tmp_path / "calls").read_text()
    assert not extra.exists() and calls.index("daemon-reload") < calls.index("systemctl start")


def test_a_full_disk_has_room_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that filled it is removed; doing so twice does no harm."""
    monkeypatch.setattr(guest, "FILL", str(tmp_path / "fill"))
    (tmp_path / "fill").write_text("full")
    heal = guest.scripts(fault(INSIDE[7]), LAB).heal
    assert bash(heal).returncode == bash(heal).returncode == 0 and not (tmp_path / "fill").exists()


def test_a_delay_keeps_the_receiver_running(tmp_path: Path) -> None:
    """With both threads stopped MySQL would discard what it received and did not apply."""
    fake(tmp_path, "mysql", "exit 0")
    assert bash(guest.scripts(fault(INSIDE[12]), LAB).inject).returncode == 0
    calls = (tmp_path / "calls").read_text()
    assert calls.index("START REPLICA IO_THREAD; STOP REPLICA SQL_THREAD;") < calls.index("SOURCE_DELAY = 20")
