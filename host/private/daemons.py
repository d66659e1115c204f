"""libvirtd and virtlogd of the private hypervisor: started in the namespace, found again."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from host import permissions, processes
from host.accelerator import QEMU, probe
from host.names import LIBVIRT_URI, NAMESPACE, PREFIX, STATE
from host.private.namespace import exists, inside
from host.processes import Process
from lab import process, wait
from lab.errors import LabError

CONFIG = STATE / "libvirtd.conf"
LOG_CONFIG = STATE / "virtlogd.conf"
# The sockets' modes are the only check: who connects to them is root. virtlogd's are never anything but 0700.
ROOT_ONLY = """\
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_group = "root"
unix_sock_ro_perms = "0700"
unix_sock_rw_perms = "0700"
unix_sock_admin_perms = "0700"
"""
CONFIGS = {CONFIG: ROOT_ONLY, LOG_CONFIG: ""}
DAEMONS = (("virtlogd", LOG_CONFIG), ("libvirtd", CONFIG))
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
START_TIMEOUT_S = 60.0
ASK_TIMEOUT_S = 20.0

# `ip netns exec` gave the shell a mount namespace of its own: what it mounts is seen by the daemons only.
LIBVIRT = Path("/etc/libvirt")
AUTOSTART = LIBVIRT / "qemu/networks/autostart"  # networks of other uses have no place in here
HIDE_AUTOSTART = f"[ ! -d {AUTOSTART} ] || mount -t tmpfs none {AUTOSTART}"
# libvirt asks access(2) whether KVM can be used and, told yes, probes QEMU anew at every define. For root
# the answer is no only where nothing can be written: a plain file, mounted read-only. /dev/null will not do.
NO_KVM = STATE / "no-kvm"
HIDE_KVM = (
    f"[ ! -e /dev/kvm ] || {{ : >{NO_KVM}; chmod 0 {NO_KVM}; "
    f"mount --bind {NO_KVM} /dev/kvm; mount -o remount,bind,ro /dev/kvm; }}"
)
# libvirt 10.4 and later may use nftables of its own, where no other table's ACCEPT counts.
SETTINGS = {"network.conf": 'firewall_backend = "iptables"'}
# What hides /dev/kvm is a mount, and those cannot be moved into the private /dev that libvirt makes a machine.
SETTINGS_WITHOUT_KVM = {"qemu.conf": "namespaces = []"}


def start() -> None:
    """Start the daemons that do not run, and wait until libvirt answers."""
    permissions.close_sockets()
    STATE.mkdir(parents=True, exist_ok=True)
    for path, text in CONFIGS.items():
        path.write_text(text)
    for name, config in DAEMONS:
        if not _runs(name):
            _spawn(name, config)
    wait.until(
        "libvirtd answers",
        answers,
        START_TIMEOUT_S,
        every=0.1,
        where="host",
        evidence=_logs,
        hint="invoke lab.destroy --host, then try again",
    )


def alive() -> bool:
    """Whether both daemons run in the namespace."""
    return all(_runs(name) for name, _ in DAEMONS)


def answers() -> bool:
    """Whether libvirt answers on its usual socket, be it the system's or ours."""
    command = ["virsh", "-c", LIBVIRT_URI, "version"]
    try:
        return process.run(command, timeout=ASK_TIMEOUT_S, ok=range(256)).exit_code == 0
    except LabError:
        return False  # not installed, or a socket that nobody serves


def everything() -> list[Process]:
    """All processes of the private hypervisor, also those that lost their namespace."""
    pids = _pids_inside()
    return [found for found in processes.everyone() if found.pid in pids or _is_ours(found)]


def strays() -> list[Process]:
    """Processes of ours outside the namespace: remains of a private hypervisor that was cut off."""
    pids = _pids_inside()
    return [found for found in processes.everyone() if found.pid not in pids and _is_ours(found)]


def _spawn(name: str, config: Path) -> None:
    settings = SETTINGS if probe().kvm else SETTINGS | SETTINGS_WITHOUT_KVM
    mounts = [HIDE_AUTOSTART, *([] if probe().kvm else [HIDE_KVM]), *_overlays(settings)]
    # tini -s: where PID 1 is slow to collect orphans, libvirtd waits minutes for its dead QEMU probes.
    script = "\n".join(["set -eu", *mounts, f"exec tini -s -- {name} --config {config}"])
    with (STATE / f"{name}.log").open("w") as log:
        subprocess.Popen(
            inside("sh", "-c", script),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={"PATH": PATH, "LANG": "C.UTF-8"},
            start_new_session=True,
            cwd="/",
        )


def _overlays(settings: Mapping[str, str]) -> list[str]:
    """Commands that show the daemons a setting before what the system's own file says."""
    commands = []
    for name, line in settings.items():
        system, private = LIBVIRT / name, STATE / name
        if system.exists():
            private.write_text(f"{line}\n{system.read_text()}")
            commands.append(f"mount --bind {private} {system}")
    return commands


def _runs(name: str) -> bool:
    pids = _pids_inside()
    return any(found.pid in pids and Path(found.command[0]).name == name for found in processes.everyone())


def _is_ours(found: Process) -> bool:
    """Daemons by their configuration; what they started by its name and by not living in the host's network."""
    program, command = Path(found.command[0]).name, " ".join(found.command)
    if program in ("tini", "libvirtd", "virtlogd"):
        return any(f"--config {config}" in command for config in CONFIGS)
    marks = {"dnsmasq": f"/dnsmasq/{NAMESPACE}", QEMU: f"guest={PREFIX}"}
    return program in marks and marks[program] in command and processes.elsewhere(found)


def _pids_inside() -> set[int]:
    if not exists():
        return set()
    shown = process.run(["ip", "netns", "pids", NAMESPACE], timeout=ASK_TIMEOUT_S, ok=(0, 1))
    return {int(word) for word in shown.output.split() if word.isdigit()}


def _logs() -> str:
    texts = [path.read_text() for name, _ in DAEMONS if (path := STATE / f"{name}.log").exists()]
    return "\n".join("".join(texts).strip().splitlines()[-10:])
