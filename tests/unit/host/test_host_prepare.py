"""What lab.up writes down about this host for the Vagrantfile. Everything that it looks at is a double."""

from pathlib import Path
from typing import Any

import pytest

from box import choose
from box.choose import Chosen
from host import emulator, preflight, prepare, provider
from host.ownership import inventory, leftovers
from host.ownership.inventory import Inventory
from host.private import hypervisor
from host.provider import Provider
from lab import topology
from lab.errors import BadInput
from lab.nodes import vm_power
from lab.state import choices
from lab.state.choices import Choices

LAB = topology.load()
BOX = "weblab/debian-13-0123456789ab"
OLDER = "provider: libvirt\nbox: b\nemulator: e\n"
SAVE = vm_power.save_found


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """A host that emulates, and the states of the lab's machines."""
    states = {node.name: "absent" for node in LAB.nodes}
    monkeypatch.setattr(vm_power, "FOUND", tmp_path / ".lab" / "vagrant.yml")
    monkeypatch.setattr(vm_power, "save_found", lambda found: SAVE(found, vm_power.FOUND))
    monkeypatch.setattr(vm_power, "states", lambda lab: states)
    monkeypatch.setattr(choices, "load", Choices)
    monkeypatch.setattr(provider, "choose", lambda wanted: Provider("libvirt", "qemu", True, "a private one"))
    monkeypatch.setattr(inventory, "take", Inventory)
    monkeypatch.setattr(hypervisor, "start", lambda networks: None)
    monkeypatch.setattr(leftovers, "take_over", lambda *args: None)
    for name in ("addresses_of", "check"):
        monkeypatch.setattr(preflight, name, lambda *_, **__: [])
    monkeypatch.setattr(choose, "choose", lambda *_, **__: Chosen(BOX, "built here"))
    monkeypatch.setattr(prepare, "emulator_path", lambda: "/usr/bin/qemu")
    return states


def found() -> dict[str, Any]:
    """What is written down after another lab.up."""
    prepare.prepare(LAB)
    return vm_power.found()


def test_a_new_lab_gets_the_processor_of_today(host: dict[str, str]) -> None:
    """Also where an older version wrote something down, and no machine is there."""
    assert found()["cpu"] == emulator.PROCESSOR
    vm_power.FOUND.write_text(OLDER)
    assert found()["cpu"] == emulator.PROCESSOR


def test_a_lab_that_is_there_keeps_its_processor(host: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One of an older version has QEMU's `max`, one of this version what it got, whatever is chosen today."""
    host["web2"] = "off"
    vm_power.save_found({"provider": "libvirt", "box": BOX, "emulator": "/usr/bin/qemu"})
    assert "cpu" not in found()
    host["web2"] = "absent"
    made = found()["cpu"]
    host["web2"] = "off"
    monkeypatch.setattr(emulator, "PROCESSOR", {"model": "Haswell", "features": []})
    assert found()["cpu"] == made


def test_a_provider_that_is_not_supported_is_refused_by_its_option(host: dict[str, str]) -> None:
    """By what was typed, with those that there are, before anything is looked at."""
    with pytest.raises(BadInput, match=r"^--provider .*'docker'.*libvirt, virtualbox"):
        prepare.prepare(LAB, provider="docker")
    assert not vm_power.FOUND.exists()
