"""Which Vagrant provider works on this machine."""

import shutil
from dataclasses import dataclass
from functools import cache

from host.accelerator import CPUINFO, probe, virtualization_flag
from host.names import IS_ROOT, LIBVIRT_URI
from host.private import daemons
from lab import process
from lab.errors import InfrastructureBroken, LabError

TIMEOUT_S = 20.0
PLUGINS_TIMEOUT_S = 60.0
QUIET = {"VAGRANT_CHECKPOINT_DISABLE": "1", "VAGRANT_NO_COLOR": "1"}
OF_A_PRIVATE_ONE = ("libvirtd", "virtlogd", "tini", "ip", "iptables")


@dataclass(frozen=True)
class Provider:
    """A usable provider; `private`: its libvirtd is the lab's own, which the lab has to start."""

    name: str
    driver: str  # kvm, qemu or virtualbox
    private: bool
    why: str


def choose(wanted: str = "") -> Provider:
    """The `wanted` provider, or the first that works; raises InfrastructureBroken that names all that were tried."""
    tried: list[str] = []
    for name, attempt in (("libvirt", _system_libvirt), ("virtualbox", _virtualbox), ("libvirt", _private_libvirt)):
        found = attempt(tried) if wanted in ("", name) else None
        if found:
            return found
    raise InfrastructureBroken(
        "host: no Vagrant provider works on this machine", evidence="\n".join(tried), hint="run ./bootstrap.sh"
    )


def virtualbox_version(output: str) -> str:
    """The version in the output of `VBoxManage --version`, or '' if its kernel module is not loaded."""
    lines = output.strip().splitlines()
    return lines[-1] if lines and not any("WARNING" in line for line in lines) else ""


@cache
def has_plugin() -> bool:
    """Whether Vagrant has the plugin for libvirt; asked once a process, because Vagrant starts slowly."""
    try:
        listed = process.run(["vagrant", "plugin", "list"], timeout=PLUGINS_TIMEOUT_S, env=QUIET)
    except LabError:
        return False
    return any(line.startswith("vagrant-libvirt ") for line in listed.output.splitlines())


def _system_libvirt(tried: list[str]) -> Provider | None:
    if daemons.everything() or not daemons.answers():
        tried.append(f"libvirt: no libvirtd of the system answers on {LIBVIRT_URI}")
        return None
    if not has_plugin():
        tried.append("libvirt: Vagrant or its plugin vagrant-libvirt is not installed")
        return None
    return Provider("libvirt", _driver(), False, f"the system's libvirtd answers; {probe().why}")


def _private_libvirt(tried: list[str]) -> Provider | None:
    missing = [name for name in OF_A_PRIVATE_ONE if not shutil.which(name)]
    if missing:
        tried.append(f"a private libvirtd: not installed: {', '.join(missing)}")
    elif not IS_ROOT:
        tried.append("a private libvirtd: only root can start one")
    elif not has_plugin():
        tried.append("a private libvirtd: Vagrant or its plugin vagrant-libvirt is not installed")
    else:
        return Provider("libvirt", _driver(), True, f"a private libvirtd, because the system runs none; {probe().why}")
    return None


def _driver() -> str:
    return "kvm" if probe().kvm else "qemu"


def _virtualbox(tried: list[str]) -> Provider | None:
    try:
        output = process.run(["VBoxManage", "--version"], timeout=TIMEOUT_S).output
    except LabError as error:
        tried.append(f"virtualbox: {error.what.removeprefix('host: ')}")
        return None
    version = virtualbox_version(output)
    if not version:
        tried.append(f"virtualbox: {(output.strip() or 'it prints no version').splitlines()[0]}")
    elif CPUINFO.exists() and not virtualization_flag(CPUINFO.read_text()):
        tried.append("virtualbox: it needs a processor with vmx or svm")
    else:
        return Provider("virtualbox", "virtualbox", False, f"VirtualBox {version} works")
    return None
