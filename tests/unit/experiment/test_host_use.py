"""How busy the processors were, and with what: read in a folder that looks like /proc."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.experiment import host_use
from lab.experiment.host_use import HostUse

Put = Callable[..., None]
SHELL, KTHREAD = 900, 901


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Write the file of a process; ten seconds pass while the share is counted, on one processor."""
    monkeypatch.setattr(host_use, "PROC", tmp_path)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    clock = iter([100.0, 110.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))

    def write(pid: int, name: str, parent: int, seconds: float) -> None:
        ticks = int(seconds * os.sysconf("SC_CLK_TCK"))
        (tmp_path / str(pid)).mkdir(exist_ok=True)
        fields = f"R {parent} 0 0 0 0 0 0 0 0 0 {ticks} 0 0 0 20"
        (tmp_path / str(pid) / "stat").write_text(f"{pid} ({name}) {fields}\n")

    write(SHELL, "bash", 1, 50)
    return write


def test_another_program_is_counted_with_its_children(put: Put) -> None:
    """Only what it used meanwhile, also by a process that is new."""
    use = HostUse()
    put(SHELL, "bash", 1, 52)
    put(902, "cc1 (a) name", SHELL, 3)
    assert use.shares()["other_programs"] == 0.5


@pytest.mark.parametrize(
    ("name", "parent"),
    [("qemu-system-x86", 1), ("locust", os.getpid()), ("kworker/0:1", host_use.KERNEL)],
    ids=["a machine of the lab", "the load of this run", "a thread of the kernel"],
)
def test_what_works_for_the_lab_is_no_other_program(put: Put, name: str, parent: int) -> None:
    """It belongs to what is measured."""
    put(os.getpid(), "invoke", SHELL, 0)
    put(host_use.KERNEL, "kthreadd", 0, 0)
    use = HostUse()
    put(903, name, parent, 9)
    put(os.getpid(), "invoke", SHELL, 1)
    assert use.shares()["other_programs"] == 0.0


def test_a_system_that_does_not_tell_is_not_known(put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no /proc."""
    use = HostUse()
    monkeypatch.setattr(host_use, "PROC", tmp_path / "none")
    assert use.shares() == {"other_programs": None, "busy": None, "stolen": None}


def test_what_the_processors_did_is_told_apart(put: Put, tmp_path: Path) -> None:
    """Of 1,000 ticks 200 were idle, 100 waited for a disk, and 50 went to other machines of the same host."""
    (tmp_path / "stat").write_text("cpu  5000 10 300 9000 40 0 7 20 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n")
    use = HostUse()
    (tmp_path / "stat").write_text("cpu  5600 10 330 9200 140 10 17 70 0 0\n")
    assert use.shares() == {"other_programs": 0.0, "busy": 0.7, "stolen": 0.05}
