"""The QEMU that emulated machines use: a wrapper script that sets the size of the translation cache."""

import shutil
from pathlib import Path

from host.accelerator import QEMU
from host.names import IS_ROOT, STATE
from lab.errors import InfrastructureBroken
from lab.state.atomic_file import atomic_write

APPARMOR = Path("/sys/module/apparmor/parameters/enabled")
WRAPPER = STATE / QEMU
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


def wrapper_text(emulator: str, stamp: int) -> str:
    """The wrapper script around `emulator`."""
    return TEXT.format(emulator=emulator, stamp=stamp)


def apparmor_enabled() -> bool:
    """Whether the kernel confines libvirt's guests with AppArmor."""
    return APPARMOR.exists() and APPARMOR.read_text().strip() == "Y"
