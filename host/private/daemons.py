"""libvirtd and virtlogd of the private hypervisor: start them in the namespace, and find them again."""

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
# The modes of the sockets are the only access control: a user who can connect is root. virtlogd's are always 0700.
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

# `ip netns exec` gives the shell its own mount namespace: only the daemons see what it mounts.
LIBVIRT = Path("/etc/libvirt")
AUTOSTART = LIBVIRT / "qemu/networks/autostart"  # libvirtd must not start networks of other projects in the namespace
HIDE_AUTOSTART = f"[ ! -d {AUTOSTART} ] || mount -t tmpfs none {AUTOSTART}"
# libvirt calls access(2) to find out whether KVM can be used. If so, it probes QEMU again at every define. For root,
# access(2) fails only on a read-only mount, so a plain file is mounted read-only. /dev/null does not work.
NO_KVM = STATE / "no-kvm"
HIDE_KVM = (
    f"[ ! -e /dev/kvm ] || {{ : >{NO_KVM}; chmod 0 {NO_KVM}; "
    f"mount --bind {NO_KVM} /dev/kvm; mount -o remount,bind,ro /dev/kvm; }}"
)
# libvirt 10.4 and later may use its own nftables table, and an ACCEPT in another table does not override its rules.
SETTINGS = {"network.conf": 'firewall_backend = "iptables"'}
# A mount hides /dev/kvm, and libvirt cannot move a mount into the private /dev that it creates for a machine.
SETTINGS_WITHOUT_KVM = {"qemu.conf": "namespaces = []"}


def start() -> None:
    """Start the daemons that are not running, and wait until libvirt answers."""
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
    """Whether a libvirtd answers on the usual socket, the system's or the lab's."""
    command = ["virsh", "-c", LIBVIRT_URI, "version"]
    try:
        return process.run(command, timeout=ASK_TIMEOUT_S, ok=range(256)).exit_code == 0
    except LabError:
        return False  # virsh is not installed, or no libvirtd listens on the socket


def everything() -> list[Process]:
    """All processes of the private hypervisor, also those whose namespace was removed."""
    pids = _pids_inside()
    return [found for found in processes.everyone() if found.pid in pids or _is_ours(found)]


def strays() -> list[Process]:
    """The lab's processes outside the namespace: left by a private hypervisor whose namespace was removed."""
    pids = _pids_inside()
    return [found for found in processes.everyone() if found.pid not in pids and _is_ours(found)]


def _spawn(name: str, config: Path) -> None:
    settings = SETTINGS if probe().kvm else SETTINGS | SETTINGS_WITHOUT_KVM
    mounts = [HIDE_AUTOSTART, *([] if probe().kvm else [HIDE_KVM]), *_overlays(settings)]
    # tini -s: if PID 1 is slow to reap orphans, libvirtd waits minutes for its dead QEMU probes.
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
    """Shell commands that put a line before the system's configuration file, for the daemons only."""
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
    """Whether the lab started a process: a daemon with its configuration, or a child outside this network namespace."""
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
