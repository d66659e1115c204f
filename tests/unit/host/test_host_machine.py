"""What is read from the hosting machine: accelerator, emulator, provider, processes, libvirt's answers."""

import subprocess
from pathlib import Path

import pytest

from host import accelerator, emulator, provider
from host.accelerator import Accelerator
from host.provider import Provider
from lab import process
from lab.errors import InfrastructureBroken, TimedOut
from lab.process import Finished

CASES = Path(__file__).parents[1] / "cases/host"
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
    """A part of a word does not count, nor does another line."""
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
    """On some machines /dev/kvm even creates guests, which then hang for ever."""
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
            Accelerator(False, "emulated: the processor has vmx, but a test failed: host: qemu: not done within 10 s"),
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
    """Every other argument is passed unchanged, with spaces and quotes."""
    fake, wrapper = tmp_path / "qemu", tmp_path / "wrapper"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    wrapper.write_text(emulator.wrapper_text(str(fake), 1))
    fake.chmod(0o755)
    wrapper.chmod(0o755)
    given = ["-name", "guest=weblab_web1,debug-threads=on", "-accel", "tcg", "-append", "a 'b' \"c\" *", "", "-S"]
    shown = subprocess.run([wrapper, *given], capture_output=True, text=True, check=True)
    assert shown.stdout.split("\n")[:-1] == [it if it != "tcg" else "tcg,tb-size=512,thread=multi" for it in given]


def test_a_new_qemu_is_a_new_wrapper() -> None:
    """libvirt checks only the wrapper's change time, and would keep the capabilities of the old QEMU."""
    assert emulator.wrapper_text("/usr/bin/qemu", 1) != emulator.wrapper_text("/usr/bin/qemu", 2)


def test_under_apparmor_the_emulator_is_the_distributions_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """libvirt's AppArmor profile forbids any other."""
    (tmp_path / "enabled").write_text("Y\n")
    monkeypatch.setattr(emulator, "APPARMOR", tmp_path / "enabled")
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/qemu-system-x86_64")
    assert emulator.emulator_path() == "/usr/bin/qemu-system-x86_64"


@pytest.mark.parametrize(
    ("wanted", "working", "chosen"),
    [
        ("", ["system", "virtualbox", "private"], "system"),
        ("", ["virtualbox", "private"], "virtualbox"),
        ("", ["private"], "private"),
        ("libvirt", ["virtualbox", "private"], "private"),
        ("virtualbox", ["system", "virtualbox"], "virtualbox"),
    ],
)
def test_a_working_provider_is_used_before_one_is_made(
    monkeypatch: pytest.MonkeyPatch, wanted: str, working: list[str], chosen: str
) -> None:
    """The system's libvirtd, VirtualBox, the lab's own libvirtd, in this order; a wanted one comes before all."""
    for kind in ("system", "virtualbox", "private"):
        name = "virtualbox" if kind == "virtualbox" else "libvirt"
        found = Provider(name, kind, kind == "private", "") if kind in working else None
        function = "_virtualbox" if kind == "virtualbox" else f"_{kind}_libvirt"
        monkeypatch.setattr(provider, function, lambda tried, found=found: found)
    assert provider.choose(wanted).driver == chosen


def test_no_provider_names_what_was_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each provider with the reason, and the command that installs what is missing."""
    for function in ("_system_libvirt", "_virtualbox", "_private_libvirt"):
        monkeypatch.setattr(provider, function, lambda tried, name=function: tried.append(f"{name}: no"))
    with pytest.raises(InfrastructureBroken) as error:
        provider.choose()
    assert str(error.value) == (
        "host: no Vagrant provider works on this machine\n"
        "    _system_libvirt: no\n    _virtualbox: no\n    _private_libvirt: no\n"
        "next: run ./bootstrap.sh"
    )


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("7.0.18r162988\n", "7.0.18r162988"),
        ("WARNING: The vboxdrv kernel module is not loaded.\n7.0.18r162988\n", ""),
        ("", ""),
    ],
)
def test_virtualbox_without_its_kernel_module_does_not_count(output: str, version: str) -> None:
    """VBoxManage prints its version even so."""
    assert provider.virtualbox_version(output) == version


OLDER, OTHER = {"emulator": "/usr/bin/qemu"}, {"model": "Haswell", "features": []}


@pytest.mark.parametrize(
    ("box", "made", "expected"),
    [
        ("weblab/debian-13-0123456789ab", {}, {"cpu": emulator.PROCESSOR}),
        ("bento/ubuntu-24.04", {}, {}),
        ("weblab/debian-13-0123456789ab", OLDER, {}),
        ("weblab/debian-13-0123456789ab", OLDER | {"cpu": OTHER}, {"cpu": OTHER}),
        ("bento/ubuntu-24.04", OLDER | {"cpu": OTHER}, {"cpu": OTHER}),
    ],
    ids=["a new lab", "a box of others", "a lab of an older version", "a lab that was made", "and its box is another"],
)
def test_machines_keep_the_processor_that_they_were_made_with(
    box: str, made: dict[str, object], expected: dict[str, object]
) -> None:
    """Their snapshots hold its state; QEMU's own choice is no entry."""
    assert emulator.processor(box, made) == expected
