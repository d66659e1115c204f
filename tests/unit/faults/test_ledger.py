"""The ledger of faults on disk: several commands write it at once, are killed in the middle, have no room."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lab.faults import ledger
from lab.faults.kinds import Fault

FAULTS = 150
BEGIN = """
import os, resource, signal, sys
from pathlib import Path
from lab.faults import ledger
from lab.faults.kinds import Fault
ledger.LEDGER = Path(sys.argv[1])
"""
WRITES = f"""
faults = [Fault("service-stop", sys.argv[2], service=f"unit{{number}}") for number in range({FAULTS})]
print("ready", flush=True)
sys.stdin.read(1)
for fault in faults:
    ledger.add(fault, 1.0)
    if int(fault.service[4:]) % 2:
        ledger.remove(fault)
"""
KILLED = """
def killed(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(Path if sys.argv[2] == "replace" else os, sys.argv[2], killed)
ledger.add(Fault("service-stop", "web2", service="nginx"), 2.0)
"""
NO_ROOM = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
ledger.add(Fault("service-stop", "web2", service="nginx"), 2.0)
"""
KNOWN = Fault("power-off", "web1")


def names() -> set[str]:
    """What the ledger says is active."""
    return {it["id"] for it in ledger.entries()}


def python(code: str, *words: str) -> "subprocess.Popen[str]":
    """Another command that writes the ledger of this test."""
    argv = [sys.executable, "-c", BEGIN + code, str(ledger.LEDGER), *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def test_two_commands_that_write_at_once_lose_nothing() -> None:
    """Each injects a hundred and fifty faults and heals every second one at once."""
    writers = [python(WRITES, node) for node in ("web1", "web2")]
    for it in writers:
        assert it.stdout is not None and it.stdout.readline() == "ready\n"
    for it in writers:
        assert it.stdin is not None
        it.stdin.write("\n")
        it.stdin.flush()
    assert [it.communicate(timeout=120)[1] for it in writers] == ["", ""]
    expected = {f"{node}-service-stop-unit{number}" for node in ("web1", "web2") for number in range(0, FAULTS, 2)}
    assert names() == expected


@pytest.mark.parametrize("step", ["fdopen", "fsync", "replace", "open"])
def test_a_command_that_is_killed_while_it_writes_leaves_a_whole_ledger(step: str) -> None:
    """At each step of a write; the next command can write again."""
    ledger.add(KNOWN, 1.0)
    assert python(KILLED, step).wait(timeout=60) == -9
    assert names() == {KNOWN.id}
    ledger.remove(KNOWN)
    assert names() == set()


def test_a_ledger_without_room_stays_as_it_was() -> None:
    """Nothing is injected that is not written down."""
    ledger.add(KNOWN, 1.0)
    before = ledger.LEDGER.read_text(encoding="utf-8")
    writer = python(NO_ROOM)
    assert "File too large" in writer.communicate(timeout=60)[1] and writer.returncode == 1
    assert ledger.LEDGER.read_text(encoding="utf-8") == before
    assert [it.name for it in left_over()] == []


def test_file_and_folder_are_on_the_disk_before_a_fault_is_injected(monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut of this machine takes what was not: the folder has the name under which the file is found."""
    synced: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda opened: synced.append(stat.S_ISDIR(os.fstat(opened).st_mode)))
    ledger.add(KNOWN, 1.0)
    assert synced == [False, True]


def left_over() -> list[Path]:
    """Files of writers that did not end."""
    return list(ledger.LEDGER.parent.glob("*.new"))


def test_the_ledger_is_json_that_a_person_can_read() -> None:
    """One list, oldest first."""
    ledger.add(KNOWN, 1.0)
    ledger.add(Fault("service-stop", "web2", service="nginx"), 2.0)
    assert [it["injected_at"] for it in json.loads(ledger.LEDGER.read_text(encoding="utf-8"))] == [1.0, 2.0]
