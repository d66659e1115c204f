"""The QEMU and the CPU model of emulated machines; the QEMU is a wrapper that sets the translation cache's size."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from box.recipe import NAMESPACE
from host.accelerator import QEMU
from host.names import IS_ROOT, STATE
from lab.errors import InfrastructureBroken
from lab.state.atomic_file import atomic_write

APPARMOR = Path("/sys/module/apparmor/parameters/enabled")
WRAPPER = STATE / QEMU
# QEMU's `max` has AVX, page tables of five levels and SMAP: an emulated machine pays for them in each program, at each
# page fault and at each system call. Without AVX OpenSSL hashed 2.5 times as fast. Nothing in the box needs more.
PROCESSOR = {"model": "Westmere", "features": ["pclmuldq", "rdrand"]}
# libvirt caches the capabilities of a binary by its ctime: with the stamp, an upgrade of QEMU changes the wrapper too.
TEXT = """\
#!/bin/sh
# Made by the lab for {emulator}, stamp {stamp}.
# QEMU's translation cache is 1 GiB a machine by default; vagrant-libvirt has no setting for it. QEMU flushes a full
# cache, and the machine stops for seconds: 128 MB were full every minute, 512 MB were not full in half an hour.
set -eu
left=$#
while [ "$left" -gt 0 ]; do
    argument=$1
    shift
    if [ "$argument" = tcg ]; then
        argument=tcg,tb-size=512,thread=multi
    fi
    set -- "$@" "$argument"
    left=$((left - 1))
done
exec {emulator} "$@"
"""


def emulator_path() -> str:
    """The emulator for a domain without KVM; writes the wrapper if it is missing or out of date."""
    real = shutil.which(QEMU)
    if not real:
        raise InfrastructureBroken(f"host: the program {QEMU} is not installed", hint="run ./bootstrap.sh")
    if apparmor_enabled() or not IS_ROOT:
        return real  # AppArmor allows only the distribution's QEMU; machines cannot read a wrapper in a user's home
    text = wrapper_text(real, Path(real).stat().st_mtime_ns)
    if not WRAPPER.exists() or WRAPPER.read_text() != text:
        atomic_write(WRAPPER, text, mode=0o755)
    return str(WRAPPER)


def processor(box: str, made: Mapping[str, Any]) -> dict[str, Any]:
    """What the Vagrantfile has to know of the processor of machines that are emulated; nothing for QEMU's `max`.

    `made`: what was written down when the machines were made, nothing where there are none. They keep what they have:
    a snapshot goes on with the processor that it was taken of. Of another box than ours nobody knows whether its kernel
    is told mitigations=off, and without that it would guard an Intel processor at each system call.
    """
    if made:
        return {"cpu": made["cpu"]} if "cpu" in made else {}
    return {"cpu": PROCESSOR} if box.startswith(f"{NAMESPACE}/") else {}


def wrapper_text(emulator: str, stamp: int) -> str:
    """The wrapper script around `emulator`."""
    return TEXT.format(emulator=emulator, stamp=stamp)


def apparmor_enabled() -> bool:
    """Whether the kernel confines libvirt's guests with AppArmor."""
    return APPARMOR.exists() and APPARMOR.read_text().strip() == "Y"
