"""What is read off the hosting machine: accelerator, emulator, provider, processes, libvirt's answers."""

import os
import re
import subprocess
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from host import accelerator, emulator, firewall, inventory, link, namespace, processes, provider, resolver, uploads
from host.accelerator import Accelerator
from host.provider import Provider
from lab import process
from lab.errors import BadInput, RigBroken, TimedOut
from lab.process import Finished

CASES = Path(__file__).parent / "cases/host"
REAL = "nameserver 192.0.2.1\n"


def test_the_boot_sector_is_bootable_and_ends_the_machine() -> None:
    """512 bytes, the signature, and the value written to the port that QEMU watches."""
    sector = accelerator.boot_sector()
    assert len(sector) == 512
    assert sector[-2:] == b"\x55\xaa"
    assert sector.startswith(bytes.fromhex("b010 baf400 ee f4"))


@pytest.mark.parametrize(
    ("cpuinfo", "flag"),
    [
        ("processor\t: 0\nflags\t\t: fpu vme de vmx ssse3\n", "vmx"),
        ("flags\t\t: fpu svm_lock svm\n", "svm"),
        ("flags\t\t: fpu vme de hypervisor\n", ""),
        ("vmx flags\t: vnmi\nflags\t\t: fpu\n", ""),
        ("", ""),
    ],
)
def test_the_flag_is_a_word_of_the_flags_line(cpuinfo: str, flag: str) -> None:
    """Neither a part of a word nor another line counts."""
    assert accelerator.virtualization_flag(cpuinfo) == flag


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A processor with vmx and a device that may be opened."""
    for name, text in (("CPUINFO", "flags : vmx\n"), ("KVM_DEVICE", "")):
        (tmp_path / name).write_text(text)
        monkeypatch.setattr(accelerator, name, tmp_path / name)
    accelerator.probe.cache_clear()


def test_without_a_flag_the_device_file_counts_for_nothing(
    processor: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """There are machines whose /dev/kvm even creates machines that hang for ever."""
    accelerator.CPUINFO.write_text("flags : fpu\n")
    assert accelerator.probe() == Accelerator(False, "emulated: /proc/cpuinfo has neither vmx nor svm")
    accelerator.probe.cache_clear()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Finished(33, ""), Accelerator(True, "kvm: the processor has vmx, and a test machine ran")),
        (
            Finished(1, "Could not access KVM kernel module: Permission denied\n"),
            Accelerator(
                False,
                "emulated: the processor has vmx, but a test machine did not run: "
                "Could not access KVM kernel module: Permission denied",
            ),
        ),
        (
            TimedOut("host: qemu: not done within 10 s"),
            Accelerator(False, "emulated: the processor has vmx, but a try failed: host: qemu: not done within 10 s"),
        ),
    ],
)
def test_with_a_flag_a_real_machine_decides(
    processor: None, monkeypatch: pytest.MonkeyPatch, answer: Finished | TimedOut, expected: Accelerator
) -> None:
    """It ran, it failed, or it hung: the reason says which."""

    def run(*args: object, **options: object) -> Finished:
        if isinstance(answer, TimedOut):
            raise answer
        return answer

    monkeypatch.setattr(process, "run", run)
    assert accelerator.probe() == expected
    accelerator.probe.cache_clear()


def test_the_wrapper_rewrites_the_accelerator_only(tmp_path: Path) -> None:
    """Every other argument arrives as it was, spaces and quotes included."""
    fake, wrapper = tmp_path / "qemu", tmp_path / "wrapper"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    wrapper.write_text(emulator.wrapper_text(str(fake), 1))
    fake.chmod(0o755)
    wrapper.chmod(0o755)
    given = ["-name", "guest=weblab_web1,debug-threads=on", "-accel", "tcg", "-append", "a 'b' \"c\" *", "", "-S"]
    shown = subprocess.run([wrapper, *given], capture_output=True, text=True, check=True)
    assert shown.stdout.split("\n")[:-1] == [it if it != "tcg" else "tcg,tb-size=128,thread=multi" for it in given]


def test_a_new_qemu_is_a_new_wrapper() -> None:
    """libvirt looks at the wrapper's change time only, and would go on with what the old one could do."""
    assert emulator.wrapper_text("/usr/bin/qemu", 1) != emulator.wrapper_text("/usr/bin/qemu", 2)


def test_under_apparmor_the_emulator_is_the_distributions_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """libvirt's profile forbids any other."""
    (tmp_path / "enabled").write_text("Y\n")
    monkeypatch.setattr(emulator, "APPARMOR", tmp_path / "enabled")
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/qemu-system-x86_64")
    assert emulator.emulator_path() == "/usr/bin/qemu-system-x86_64"


@pytest.mark.parametrize(
    ("wanted", "working", "chosen"),
    [
        (None, ["system", "virtualbox", "private"], "system"),
        (None, ["virtualbox", "private"], "virtualbox"),
        (None, ["private"], "private"),
        ("libvirt", ["virtualbox", "private"], "private"),
        ("virtualbox", ["system", "virtualbox"], "virtualbox"),
    ],
)
def test_a_working_provider_is_used_before_one_is_made(
    monkeypatch: pytest.MonkeyPatch, wanted: str | None, working: list[str], chosen: str
) -> None:
    """The system's libvirtd, VirtualBox, a libvirtd of our own; what is wanted beats all."""
    for way in ("system", "virtualbox", "private"):
        name = "virtualbox" if way == "virtualbox" else "libvirt"
        found = Provider(name, way, way == "private", "") if way in working else None
        function = "_virtualbox" if way == "virtualbox" else f"_{way}_libvirt"
        monkeypatch.setattr(provider, function, lambda tried, found=found: found)
    assert provider.choose(wanted).driver == chosen


def test_no_provider_names_what_was_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way with its reason, and the command that installs what is missing."""
    for function in ("_system_libvirt", "_virtualbox", "_private_libvirt"):
        monkeypatch.setattr(provider, function, lambda tried, name=function: tried.append(f"{name}: no"))
    with pytest.raises(RigBroken) as error:
        provider.choose(None)
    assert str(error.value) == (
        "host: no Vagrant provider works on this machine\n"
        "    _system_libvirt: no\n    _virtualbox: no\n    _private_libvirt: no\n"
        "next: run ./bootstrap.sh"
    )


def test_an_unknown_provider_is_wrong_input() -> None:
    """Exit 2, and the names that exist."""
    with pytest.raises(BadInput, match="there is no provider 'docker'"):
        provider.choose("docker")


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("7.0.18r162988\n", "7.0.18r162988"),
        ("WARNING: The vboxdrv kernel module is not loaded.\n7.0.18r162988\n", ""),
        ("", ""),
    ],
)
def test_virtualbox_without_its_kernel_module_does_not_count(output: str, version: str) -> None:
    """It prints its version all the same."""
    assert provider.virtualbox_version(output) == version


def test_a_process_started_when_the_kernel_says_whatever_its_name() -> None:
    """Brackets and spaces in the name do not shift the fields."""
    stat = "4711 (a) b (c) S 1 4711 4711 0 -1 4194560 193 0 0 0 1 2 0 0 20 0 1 0 222856 67000 900"
    assert processes.start_ticks(stat) == 222856


@pytest.mark.parametrize(
    ("command", "changes"),
    [
        (("/usr/bin/ruby", "/usr/bin/vagrant", "up", "--provider", "libvirt"), True),
        (("/opt/vagrant/bin/vagrant", "destroy", "-f"), True),
        (("/usr/bin/ruby", "/usr/bin/vagrant", "ssh", "web1"), False),
        (("less", "vagrant"), False),
        (("vim", "up"), False),
    ],
)
def test_a_shell_into_a_machine_is_no_orphan(command: tuple[str, ...], changes: bool) -> None:
    """Only a Vagrant that changes machines is ended."""
    assert processes.changes_machines(command) == changes


def test_virsh_tables_are_read_by_row() -> None:
    """Without headings, whatever the widths."""
    rows = inventory.parse_table((CASES / "virsh-list").read_text())
    assert rows == [["3", "weblab_web1", "running"], ["-", "other", "shut", "off"], ["-", "weblab_web2", "shut", "off"]]


def test_a_domain_tells_who_made_it() -> None:
    """The folder of its Vagrantfile, its id and its disks; an empty drive is no disk."""
    domain = inventory.parse_domain((CASES / "domain.xml").read_text(), running=True)
    assert domain.name == "weblab_web1"
    assert domain.checkout == Path("/home/ada/webinfra")
    assert domain.uuid == "ac2f1d6e-5e0b-4d22-9f38-5d2b7f0f9a11"
    assert domain.disks == (Path("/var/lib/libvirt/images/weblab_web1.img"),)


def test_a_network_tells_its_bridge_and_range() -> None:
    """As libvirt prints it."""
    network = inventory.parse_network((CASES / "network.xml").read_text())
    assert (network.name, network.bridge, network.range) == ("weblab", "virbr1", IPv4Network("192.168.56.0/24"))


def test_where_libvirt_is_silent_nothing_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """VirtualBox hosts have no libvirt, and a lab."""
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert inventory.take() == inventory.Inventory()


def test_our_rules_are_recognised_in_iptables_own_words() -> None:
    """iptables writes the states in another order than they were given."""
    listing = (CASES / "forward-rules").read_text()
    specs = [rule.spec for rule in namespace.FIRST_INSIDE]
    assert firewall.are_first(specs, listing)
    assert not firewall.are_first(list(reversed(specs)), listing)
    assert not firewall.are_first(
        specs, listing.replace("-A FORWARD -o uplink", "-A FORWARD -j REJECT\n-A X -o uplink")
    )


@pytest.mark.parametrize(
    ("used", "free"),
    [
        ([], "10.200.0.0/30"),
        (["192.168.56.0/24", "10.200.0.2/32"], "172.31.255.252/30"),
        (["10.0.0.0/8", "172.16.0.0/12"], "100.127.255.252/30"),
    ],
)
def test_the_way_in_avoids_networks_in_use(used: list[str], free: str) -> None:
    """The first small network that overlaps nothing."""
    assert link.free([IPv4Network(network) for network in used]) == IPv4Network(free)


def test_no_free_way_in_is_named() -> None:
    """All candidates and all that is in use."""
    with pytest.raises(RigBroken, match=re.escape("10.200.0.0/30, 172.31.255.252/30, 100.127.255.252/30")):
        link.free([IPv4Network("0.0.0.0/1"), IPv4Network("128.0.0.0/1")])


@pytest.mark.parametrize(
    ("system", "upstream", "expected"),
    [
        ("nameserver 192.0.2.53\n", "", None),
        ("# systemd\nnameserver 127.0.0.53\n", f"{REAL}nameserver ::1\n", REAL),
        ("nameserver 127.0.0.1\n", "", ""),
        ("", "", None),
    ],
)
def test_a_resolver_on_loopback_is_replaced_inside(system: str, upstream: str, expected: str | None) -> None:
    """In the namespace, loopback is another loopback."""
    assert resolver.for_namespace(system, upstream) == expected


def test_a_cut_off_upload_is_found_by_its_size(tmp_path: Path) -> None:
    """Only the lab's own boxes and the one of lab.yml are looked at."""
    for folder in ("weblab-VAGRANTSLASH-debian-13-0a1b2c", "bento-VAGRANTSLASH-ubuntu-24.04", "other-VAGRANTSLASH-box"):
        image = tmp_path / "boxes" / folder / "1.0/libvirt/box.img"
        image.parent.mkdir(parents=True)
        image.write_bytes(b"x" * 100)
        (tmp_path / f"{folder}_vagrant_box_image_1.0_box.img").write_bytes(b"x" * 99)
    found = list(uploads.unfinished(tmp_path / "boxes", tmp_path, "bento/ubuntu-24.04"))
    assert found == [
        "bento-VAGRANTSLASH-ubuntu-24.04_vagrant_box_image_1.0_box.img",
        "weblab-VAGRANTSLASH-debian-13-0a1b2c_vagrant_box_image_1.0_box.img",
    ]


def test_a_whole_upload_is_left_alone(tmp_path: Path) -> None:
    """As large as its box, or grown."""
    image = tmp_path / "boxes/weblab-VAGRANTSLASH-debian-13/1.0/amd64/libvirt/box.img"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"x" * 100)
    (tmp_path / "weblab-VAGRANTSLASH-debian-13_vagrant_box_image_1.0_box.img").write_bytes(b"x" * 100)
    assert list(uploads.unfinished(tmp_path / "boxes", tmp_path, "")) == []


def test_a_box_added_from_a_file_is_known_by_its_time(tmp_path: Path) -> None:
    """Vagrant gives it version 0, and the plugin adds when the image was written."""
    image = tmp_path / "boxes/weblab-VAGRANTSLASH-debian-13/0/libvirt/box.img"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"x" * 100)
    os.utime(image, (1795400486.9, 1795400486.9))
    volume = tmp_path / "weblab-VAGRANTSLASH-debian-13_vagrant_box_image_0_1795400486_box.img"
    volume.write_bytes(b"x" * 99)
    assert list(uploads.unfinished(tmp_path / "boxes", tmp_path, "")) == [volume.name]
