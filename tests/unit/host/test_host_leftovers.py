"""What labs left on this machine: what is kept, what is removed, and when another lab blocks this one."""

import json
from pathlib import Path
from typing import Any

import pytest

from host import processes
from host.ownership import leftovers, owner, uploads
from host.ownership.inventory import Domain, Inventory, Network
from host.ownership.leftovers import Checkouts, InUse, Leftover, Leftovers
from host.processes import Process
from lab.errors import InfrastructureBroken

CASES = json.loads((Path(__file__).parents[1] / "cases/host/leftovers.json").read_text())
IMAGES = Path("/images")


def present(case: dict[str, Any]) -> Inventory:
    """What libvirt would have in this case: each machine has the disk of its name."""
    domains = [
        Domain(
            name=it["name"],
            uuid=it["uuid"],
            running=it["running"],
            checkout=Path(it["checkout"]) if it["checkout"] else None,
            disks=(IMAGES / f"{it['name']}.img",) if f"{it['name']}.img" in disks_of(case) else (),
        )
        for it in case["domains"]
    ]
    networks = [Network(name, "virbr1", None) for name in case["networks"]]
    return Inventory(tuple(domains), tuple((name, IMAGES / name) for name in case["volumes"]), tuple(networks))


def disks_of(case: dict[str, Any]) -> list[str]:
    """The disks of the machines, also those whose volume is missing."""
    return [*case["volumes"], *(["weblab_web1.img"] if "disk is gone" in str(case["swept"]) else [])]


def known(case: dict[str, Any]) -> Checkouts:
    """What is known about checkouts in this case."""
    whose = case.get("owner")
    existing = [Path(folder) for folder in case.get("existing", [])]
    return Checkouts(Path("/ours"), case["ids"], existing, Path(whose) if whose else None, case.get("busy", False))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["it"])
def test_each_thing_is_judged_by_its_owner(case: dict[str, Any]) -> None:
    """The table of cases: kept, swept with owner and reason, in use."""
    found = leftovers.judge(present(case), known(case))
    assert list(found.remaining) == case["kept"]
    assert [str(it) for it in found.swept] == case["swept"]
    assert [str(it) for it in found.in_use] == case["in_use"]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """A host on which another checkout's lab runs; records what is swept."""
    state: dict[str, Any] = {
        "found": Leftovers(
            (),
            (Leftover("machine", "weblab_web1", "/theirs", "it belongs to another checkout"),),
            (InUse(Path("/theirs"), ("weblab_web1",)),),
        ),
        "swept": [],
    }
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(owner, "FILE", tmp_path / "owner.json")
    monkeypatch.setattr(processes, "orphaned_vagrants", lambda checkout: [])
    monkeypatch.setattr(leftovers, "find_leftovers", lambda checkout, nodes: state["found"])
    monkeypatch.setattr(leftovers, "_remove", lambda kind, name: state["swept"].append((kind, name)))
    monkeypatch.setattr(uploads, "remove_unfinished", lambda box: None)
    return state


def test_a_lab_in_use_is_refused_with_the_commands_that_free_it(host: dict[str, Any], tmp_path: Path) -> None:
    """Exit 3, the other checkout's name and the commands; nothing is changed, nothing claimed."""
    with pytest.raises(InfrastructureBroken) as error:
        leftovers.take_over(tmp_path, [])
    assert str(error.value) == (
        "host: this machine runs the lab of another checkout, and only one fits\n"
        "    /theirs: weblab_web1 running\n"
        "next: cd /theirs && .venv/bin/invoke lab.destroy; with CI=true in the environment it is removed"
    )
    assert error.value.exit_code == 3
    assert host["swept"] == []
    assert owner.owner() is None


def test_in_ci_a_lab_in_use_is_swept(host: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lab of yesterday's job must not block today's job."""
    monkeypatch.setenv("CI", "true")
    leftovers.take_over(tmp_path, [])
    assert host["swept"] == [("machine", "weblab_web1")]


def test_what_is_swept_is_named_with_its_owner(
    host: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One progress line for each thing."""
    host["found"] = Leftovers((), host["found"].swept, ())
    leftovers.take_over(tmp_path, [])
    assert str(host["found"].swept[0]) in capsys.readouterr().err


def test_taking_over_claims_the_host(host: dict[str, Any], tmp_path: Path) -> None:
    """The record names the checkout and this process."""
    host["found"] = Leftovers((), (), ())
    leftovers.take_over(tmp_path, [])
    claimed = owner.owner()
    assert claimed
    assert claimed.checkout == tmp_path
    assert [process.started > 0 for process in claimed.processes] == [True]


def test_a_machine_without_owner_is_freed_by_its_name() -> None:
    """There is no checkout to run a command in, so the hint names the machine."""
    assert InUse(None, ("weblab_web1",)).hint == "virsh -c qemu:///system destroy weblab_web1"


def test_a_claim_is_kept_in_its_time_and_released_by_its_owner_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Claiming again keeps `since`; another checkout cannot release."""
    monkeypatch.setattr(owner, "FILE", tmp_path / "owner.json")
    owner.FILE.write_text('{"checkout": "/ours", "since": "2026-01-02T03:04:05+00:00", "processes": []}')
    owner.claim(Path("/ours"))
    owner.release(Path("/theirs"))
    claim = owner.owner()
    assert claim
    assert claim.since == "2026-01-02T03:04:05+00:00"
    owner.release(Path("/ours"))
    assert owner.owner() is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"checkout": "/ours"}'])
def test_a_broken_record_is_no_owner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    """An incomplete record, as a full disk leaves it, must not block the lab."""
    monkeypatch.setattr(owner, "FILE", tmp_path / "owner.json")
    owner.FILE.write_text(text)
    assert owner.owner() is None


def test_a_reused_process_number_is_not_the_owner() -> None:
    """A process is identified by its PID and its start time."""
    running = processes.everyone()[0]
    assert processes.living([running]) == [running]
    assert processes.living([Process(running.pid, running.started + 1)]) == []
