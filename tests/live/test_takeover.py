"""Interrupted, killed, left behind: the lab of this machine is completed or taken over. Runs last."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.nodes import site, vm_power
from lab.topology import ROOT, Lab
from lab.wait import until
from tests.live.conftest import UP_S, must, start, wrong

pytestmark = [pytest.mark.live, pytest.mark.slow]


def states(lab: Lab) -> list[str]:
    """The machines' states, [] where nobody can say."""
    try:
        return sorted(vm_power.states(lab).values())
    except LabError:
        return []


@pytest.mark.skipif(os.geteuid() != 0, reason="kills the private hypervisor, which only root has")
def test_a_killed_lab_is_taken_over_by_another_checkout(healthy: Lab, tmp_path: Path) -> None:
    """All processes of this lab die; a second clone names the leftovers, sweeps them and comes up; and back again."""
    second = clone(tmp_path / "second")
    kill_everything()
    until("the machines are gone", lambda: "running" not in states(healthy), 20)

    output = must("lab.up", timeout=UP_S, cwd=second)
    assert site.fetch(healthy).status == 200, output

    must("lab.destroy", timeout=UP_S, cwd=second)
    assert states(healthy) == ["absent"] * 3

    interrupt_up(healthy)
    must("lab.up", timeout=UP_S)
    assert wrong(healthy) == []


def interrupt_up(lab: Lab) -> None:
    """Ctrl-C while the machines boot: exit code 130, and it says what still stands."""
    up = start("lab.up")
    until("the machines boot", lambda: states(lab) == ["running"] * 3, 120)
    os.killpg(up.pid, signal.SIGINT)
    output, _ = up.communicate(timeout=60)
    assert up.returncode == 130, output
    assert "interrupted" in output and "web1 is" in output


def clone(folder: Path) -> Path:
    """A second checkout with what is here now, committed or not."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    names = subprocess.run(
        ["git", "ls-files", "--modified", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    subprocess.run(["cp", "--parents", *names, str(folder)], cwd=ROOT, check=True) if names else None
    return folder


def kill_everything() -> None:
    """What a power cut does to the processes of the lab."""
    for name in ("qemu-system-x86_64", "libvirtd", "virtlogd", "dnsmasq"):
        subprocess.run(["pkill", "-KILL", "-f", f"^([^ ]*/)?{name} .*(weblab|libvirt)"], check=False)
