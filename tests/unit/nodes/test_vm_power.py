"""The hypervisor's answers, and how long Vagrant may take."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from host.ownership import inventory
from lab import process, topology
from lab.errors import CommandFailed, TimedOut
from lab.nodes import vm_power
from lab.process import Finished

LAB = topology.load()
UNKNOWN = """VBoxManage: error: Could not find a registered machine with UUID {1111}
VBoxManage: error: Details: code VBOX_E_OBJECT_NOT_FOUND (0x80bb0001), component VirtualBoxWrap, interface IVirtualBox
VBoxManage: error: Context: "FindMachine(Bstr(VMNameOrUuid).raw(), machine.asOutParam())" at line 2611"""


@pytest.fixture
def virtualbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A checkout whose lab uses VirtualBox; Vagrant created web1 and web2 in it."""
    monkeypatch.setattr(vm_power, "ROOT", tmp_path)
    monkeypatch.setattr(vm_power, "provider", lambda: "virtualbox")
    for name in ("web1", "web2"):
        folder = tmp_path / ".vagrant/machines" / name / "virtualbox"
        folder.mkdir(parents=True)
        (folder / "id").write_text(f"id-of-{name}")


def vboxmanage(monkeypatch: pytest.MonkeyPatch, shown: dict[str, str]) -> None:
    """Let VBoxManage know the machines of these IDs; it fails for others like the real one."""

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
        ("aborted", "off"),
        *((word, word) for word in ("saved", "aborted-saved", "stopping", "saving", "restoring", "gurumeditation")),
    ],
)
def test_virtualbox_tells_a_machines_state(word: str, state: str) -> None:
    """Off only if certainly nothing runs and a start is a boot; other lines with the same prefix do not count."""
    shown = f'name="weblab_web1"\nVMState="{word}"\nVMStateChangeTime="2025-08-01T10:00:00.000000000"\n'
    assert vm_power.parse_vm_state(shown) == state


def test_virtualbox_that_names_no_state_is_not_off() -> None:
    """An unknown state counts as the dangerous case."""
    assert vm_power.parse_vm_state('name="weblab_web1"\n') == "unknown"


@pytest.mark.usefixtures("virtualbox")
def test_machines_are_told_apart_by_their_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """No ID, or an ID that VirtualBox does not know: absent, whatever other machine is called weblab_..."""
    vboxmanage(monkeypatch, {"id-of-web1": 'VMState="paused"\n'})
    assert vm_power.states(LAB) == {"lb1": "absent", "web1": "paused", "web2": "absent"}


@pytest.mark.usefixtures("virtualbox")
def test_a_virtualbox_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only an unknown ID means that the machine does not exist."""

    def run(argv: Sequence[str], **_: object) -> Finished:
        raise CommandFailed("host", "VBoxManage", 1, "VBoxManage: error: Failed to create the VirtualBox object!")

    monkeypatch.setattr(process, "run", run)
    with pytest.raises(CommandFailed):
        vm_power.states(LAB)


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
    monkeypatch.setattr(vm_power, "provider", lambda: provider)
    vm_power.vagrant_here().up(vm_name=name, provider=provider)
    assert deadlines == [boots * vm_power.BOOT_S]


def test_virsh_tells_the_labs_machines_only() -> None:
    """Other machines of the same libvirtd do not belong to the lab."""
    output = (
        " Id   Name          State\n"
        "-----------------------------\n"
        " 1    weblab_lb1    running\n"
        " 2    weblab_web1   paused\n"
        " 3    other         running\n"
        " -    weblab_web2   shut off\n"
    )
    assert vm_power.parse_virsh_list(output) == {"lb1": "running", "web1": "paused", "web2": "off"}


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("idle", "running"),
        ("in shutdown", "running"),
        ("shut off", "off"),
        *((word, word) for word in ("saved", "crashed", "pmsuspended", "no state", "laufend")),
    ],
)
def test_only_a_machine_that_is_shut_off_is_off(word: str, state: str) -> None:
    """Every other state is kept as it is: such a machine may still write."""
    output = f" Id   Name          State\n--------------\n 1    weblab_web1   {word}\n"
    assert vm_power.parse_virsh_list(output) == {"web1": state}


def test_words_are_read_in_english(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The user's locale does not decide what is running; a saved machine is told from one that is shut off."""
    virsh = tmp_path / "virsh"
    virsh.write_text(
        '#!/bin/sh\n[ "$LC_ALL" = C ] && word=running || word=laufend\n'
        "case $* in *--managed-save*) other=saved;; *) other='shut off';; esac\n"
        'printf \' Id Name State\\n---\\n 1 weblab_web1 %s\\n - weblab_web2 %s\\n\' "$word" "$other"\n'
    )
    virsh.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setattr(vm_power, "provider", lambda: "libvirt")
    assert vm_power.states(LAB) == {"lb1": "absent", "web1": "running", "web2": "saved"}
    assert "running" in inventory.virsh("list", "--all")


def test_why_a_machine_is_off_is_read_in_english_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This holds for libvirt; VirtualBox prints states in its own terms, and errors in the user's language."""
    for name, words in (("virsh", "shut off (destroyed)"), ("VBoxManage", 'VMState="poweroff"')):
        (tmp_path / name).write_text(f"#!/bin/sh\n[ \"$LC_ALL\" = C ] && echo '{words}' || echo ausgeschaltet\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setattr(vm_power, "_id_file", lambda node: tmp_path / "virsh")
    reasons = {}
    for provider in ("libvirt", "virtualbox"):
        monkeypatch.setattr(vm_power, "provider", lambda name=provider: name)
        reasons[provider] = vm_power.off_because(LAB.node("web1"))
    assert reasons == {"libvirt": "destroyed", "virtualbox": "VirtualBox does not say why"}


class Power:
    """web1 with a hypervisor that changes its state as in `becomes`; `done` lists the operations."""

    def __init__(self, state: str, becomes: dict[str, str]) -> None:
        self.state, self.becomes = state, becomes
        self.done: list[str] = []

    def run(self, argv: Sequence[str], **_: object) -> Finished:
        """Replaces lab.process.run."""
        if "list" in argv:
            return Finished(0, f" Id Name State\n---\n 1 weblab_web1 {self.state}\n")
        self.done.append(argv[3])
        if self.state not in self.becomes:
            raise CommandFailed("host", " ".join(argv), 1, "error: Requested operation is not valid")
        self.state = self.becomes[self.state]
        return Finished(0, "")


@pytest.mark.parametrize(
    ("state", "becomes", "done"),
    [
        ("pmsuspended", {"pmsuspended": "shut off"}, ["destroy"]),
        ("saved", {"saved": "shut off"}, ["managedsave-remove"]),
        ("crashed", {"crashed": "in shutdown", "in shutdown": "shut off"}, ["destroy", "destroy"]),
        ("shut off", {}, []),
    ],
    ids=["suspended", "saved", "not at once", "off already"],
)
def test_a_machine_in_any_state_is_made_off_and_seen_to_be(
    monkeypatch: pytest.MonkeyPatch, state: str, becomes: dict[str, str], done: list[str]
) -> None:
    """A saved one can't be powered off: its saved memory is discarded, because it would resume from that."""
    power = Power(state, becomes)
    monkeypatch.setattr(process, "run", power.run)
    monkeypatch.setattr(vm_power, "provider", lambda: "libvirt")
    vm_power.make_off(LAB, LAB.node("web1"))
    assert power.done == done and power.state == "shut off"


def test_a_machine_that_does_not_go_off_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the hypervisor's answer as evidence."""
    monkeypatch.setattr(process, "run", Power("no state", {}).run)
    monkeypatch.setattr(vm_power, "provider", lambda: "libvirt")
    monkeypatch.setattr(vm_power, "OFF_S", 0.0)
    with pytest.raises(TimedOut, match="web1: is off: not within") as caught:
        vm_power.make_off(LAB, LAB.node("web1"))
    assert "Requested operation is not valid" in caught.value.evidence and "lab.status" in caught.value.hint


def test_what_vagrant_says_of_provisioners_is_not_shown() -> None:
    """The lab has none: `invoke` configures the nodes, and a reader would think that something went wrong."""
    said = [
        "==> web1: Machine not provisioned because `--no-provision` is specified.",
        "==> web1: Machine already provisioned. Run `vagrant provision` or use the `--provision`",
        "==> web1: flag to force provisioning. Provisioners marked to run always will still run.",
        "==> web1: Machine booted and ready!",
    ]
    assert [vm_power._worth_showing(line) for line in said] == [None, None, None, ("web1", "Machine booted and ready!")]


def test_a_machine_that_left_lab_yml_is_known_to_libvirt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its state; other machines of the host are nobody's business."""
    rows = [
        " 1   weblab_lb1   running",
        " 2   weblab_web3   running",
        " -   other   shut off",
        " -   weblab_db1   shut off",
    ]
    listed = "\n".join([" Id   Name   State", "-----", *rows])
    monkeypatch.setattr(vm_power, "provider", lambda: "libvirt")
    monkeypatch.setattr(process, "run", lambda *_, **__: Finished(0, listed))
    assert vm_power.strangers(LAB) == ["db1", "web3"]


@pytest.mark.usefixtures("virtualbox")
def test_vagrant_forgets_a_virtualbox_machine_that_left_lab_yml() -> None:
    """Nobody can tell whose it is."""
    assert vm_power.strangers(LAB) == []
