"""Which accelerator QEMU can use: decided by the processor's flags and a short test run, not by /dev/kvm alone."""

import os
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lab import process
from lab.errors import LabError

QEMU = "qemu-system-x86_64"
KVM_DEVICE = Path("/dev/kvm")
CPUINFO = Path("/proc/cpuinfo")
TRY_TIMEOUT_S = 10.0
EXIT_PORT = 0xF4
EXIT_VALUE = 0x10
EXIT_CODE = EXIT_VALUE << 1 | 1  # isa-debug-exit turns the value into this exit code of QEMU
SECTOR_BYTES = 512


@dataclass(frozen=True)
class Accelerator:
    """Whether guests may use KVM, and the reason as text."""

    kvm: bool
    why: str


@cache
def probe() -> Accelerator:
    """Decide whether KVM works on this machine; the answer is cached for the process."""
    flag = virtualization_flag(CPUINFO.read_text() if CPUINFO.exists() else "")
    if not flag:
        return Accelerator(False, "emulated: /proc/cpuinfo has neither vmx nor svm")
    if not KVM_DEVICE.exists():
        return Accelerator(False, f"emulated: the processor has {flag}, but {KVM_DEVICE} does not exist")
    if not os.access(KVM_DEVICE, os.R_OK | os.W_OK):
        return _asked_of_libvirt(flag)
    return _tried(flag)


def virtualization_flag(cpuinfo: str) -> str:
    """The processor's virtualization flag, or '' if it has none."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "flags":
            return next((flag for flag in ("vmx", "svm") if flag in value.split()), "")
    return ""


def boot_sector() -> bytes:
    """A boot sector that ends the machine through QEMU's isa-debug-exit device."""
    mov_al_value = bytes([0xB0, EXIT_VALUE])
    mov_dx_port = bytes([0xBA, EXIT_PORT, 0x00])
    out_then_halt = bytes([0xEE, 0xF4, 0xEB, 0xFD])
    code = mov_al_value + mov_dx_port + out_then_halt
    return code.ljust(SECTOR_BYTES - 2, b"\x00") + b"\x55\xaa"


def _asked_of_libvirt(flag: str) -> Accelerator:
    """Ask libvirt: this user may not open the device, but the system's libvirtd may and has tested it."""
    command = ["virsh", "-c", "qemu:///system", "domcapabilities", "--virttype", "kvm"]
    try:
        process.run(command, timeout=TRY_TIMEOUT_S)
    except LabError as error:
        return Accelerator(False, f"emulated: this user may not open {KVM_DEVICE}, and libvirt reports: {error.what}")
    return Accelerator(True, f"kvm: the processor has {flag}, and libvirt offers kvm")


def _tried(flag: str) -> Accelerator:
    with tempfile.NamedTemporaryFile(suffix=".img") as image:
        image.write(boot_sector())
        image.flush()
        try:
            done = process.run(_try_command(image.name), timeout=TRY_TIMEOUT_S, ok=range(256))
        except LabError as error:
            return Accelerator(False, f"emulated: the processor has {flag}, but a test failed: {error.what}")
    if done.exit_code != EXIT_CODE:
        last = (done.output.strip().splitlines() or ["no output"])[-1]
        return Accelerator(False, f"emulated: the processor has {flag}, but a test machine did not run: {last}")
    return Accelerator(True, f"kvm: the processor has {flag}, and a test machine ran")


def _try_command(image: str) -> list[str]:
    return [
        *(QEMU, "-accel", "kvm", "-display", "none", "-nodefaults", "-no-reboot"),
        *("-device", f"isa-debug-exit,iobase={EXIT_PORT:#x},iosize=1"),
        *("-drive", f"file={image},format=raw,if=floppy"),
    ]
