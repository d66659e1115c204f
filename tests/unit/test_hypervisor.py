"""The hypervisor's answers, and how long Vagrant may take."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from lab import hypervisor, process, topology
from lab.errors import CommandFailed
from lab.process import Finished

LAB = topology.load()
UNKNOWN = """VBoxManage: error: Could not find a registered machine with UUID {1111}
VBoxManage: error: Details: code VBOX_E_OBJECT_NOT_FOUND (0x80bb0001), component VirtualBoxWrap, interface IVirtualBox
VBoxManage: error: Context: "FindMachine(Bstr(VMNameOrUuid).raw(), machine.asOutParam())" at line 2611"""


@pytest.fixture
def virtualbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A checkout whose lab is with VirtualBox; Vagrant made web1 and web2 in it."""
    monkeypatch.setattr(hypervisor, "ROOT", tmp_path)
    monkeypatch.setattr(hypervisor, "provider", lambda: "virtualbox")
    for name in ("web1", "web2"):
        folder = tmp_path / ".vagrant/machines" / name / "virtualbox"
        folder.mkdir(parents=True)
        (folder / "id").write_text(f"id-of-{name}")


def vboxmanage(monkeypatch: pytest.MonkeyPatch, shown: dict[str, str]) -> None:
    """Have VBoxManage know the machines of these ids; it fails for others as the real one does."""

    def run(argv: Sequence[str], **_: object) -> Finished:
        assert argv[:2] == ["VBoxManage", "showvminfo"] and argv[3:] == ["--machinereadable"]
        if argv[2] in shown:
            return Finished(0, shown[argv[2]])
        raise CommandFailed("host", " ".join(argv), 1, UNKNOWN)

    monkeypatch.setattr(process, "run", run)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("running", "running"),
        ("paused", "paused"),
        ("poweroff", "off"),
        ("saved", "off"),
        ("aborted", "off"),
        ("stopping", "running"),
    ],
)
def test_virtualbox_tells_a_machines_state(word: str, state: str) -> None:
    """As running, paused or off; other lines that begin alike do not count."""
    shown = f'name="weblab_web1"\nVMState="{word}"\nVMStateChangeTime="2025-08-01T10:00:00.000000000"\n'
    assert hypervisor.parse_vm_state(shown) == state


@pytest.mark.usefixtures("virtualbox")
def test_machines_are_told_apart_by_their_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """No id, or an id that VirtualBox does not know: absent, whatever else is called weblab_..."""
    vboxmanage(monkeypatch, {"id-of-web1": 'VMState="paused"\n'})
    assert hypervisor.states(LAB) == {"lb1": "absent", "web1": "paused", "web2": "absent"}


@pytest.mark.usefixtures("virtualbox")
def test_a_virtualbox_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only an unknown id means that there is no machine."""

    def run(argv: Sequence[str], **_: object) -> Finished:
        raise CommandFailed("host", "VBoxManage", 1, "VBoxManage: error: Failed to create the VirtualBox object!")

    monkeypatch.setattr(process, "run", run)
    with pytest.raises(CommandFailed):
        hypervisor.states(LAB)


@pytest.mark.parametrize(
    ("provider", "name", "boots"),
    [("libvirt", None, 1), ("libvirt", "web1", 1), ("virtualbox", None, 3), ("virtualbox", "web1", 1)],
)
def test_machines_that_boot_one_after_the_other_get_more_time(
    monkeypatch: pytest.MonkeyPatch, provider: str, name: str | None, boots: int
) -> None:
    """VirtualBox boots serially; libvirt all at once."""
    deadlines = []

    def run(argv: Sequence[str], *, timeout: float, **_: object) -> Finished:
        deadlines.append(timeout)
        return Finished(0, "")

    monkeypatch.setattr(process, "run", run)
    monkeypatch.setattr(hypervisor, "provider", lambda: provider)
    hypervisor.vagrant_here().up(vm_name=name, provider=provider)
    assert deadlines == [boots * hypervisor.BOOT_S]


def test_virsh_tells_the_labs_machines_only() -> None:
    """Others' machines on the same libvirtd are not the lab's."""
    output = (
        " Id   Name          State\n"
        "-----------------------------\n"
        " 1    weblab_lb1    running\n"
        " 2    weblab_web1   paused\n"
        " 3    other         running\n"
        " -    weblab_web2   shut off\n"
    )
    assert hypervisor.parse_virsh_list(output) == {"lb1": "running", "web1": "paused", "web2": "off"}
