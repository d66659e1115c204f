"""Whether this machine can run the lab: one finding for each thing checked, with a fix if it is wrong."""

import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path

from host import addresses
from host.accelerator import QEMU, probe
from host.names import IMAGES, LAB_NETWORK, MANAGEMENT_NETWORK, PREFIX
from host.ownership import inventory
from host.ownership.inventory import Inventory
from host.provider import has_plugin, virtualbox_version
from lab import process
from lab.errors import LabError
from lab.topology import Lab

TIMEOUT_S = 30.0
MEMORY_OVERHEAD_MB = 250  # of QEMU itself, for each machine
EMULATED_OVERHEAD_MB = 450  # with its translation cache, which does not fill up in an ordinary hour
DISK_PER_NODE_MB = 1500
DISK_FOR_BOX_MB = 2500
VAGRANT_OLDEST = (2, 3)
X86 = ("x86_64", "amd64")
BOOTSTRAP = "./bootstrap.sh"
FIX_NETWORK = "choose another range: change `network:` and the `ip:` lines in lab.yml"
FIX_MANAGEMENT = "choose another range: set `management: 192.168.N.0/24` in lab.yml"
FIX_NAME = "the lab does not touch it; rename it (virsh domrename), or rename the node in lab.yml"
FIX_OTHER_RANGE = "invoke db.backup to keep the notes, then invoke lab.destroy and invoke lab.up for new machines"
VIRTUALBOX_INTERFACES = "vboxnet*"  # its host-only networks may be shared with other machines


@dataclass(frozen=True)
class Finding:
    """The result of one check: what was found and, if it is wrong, how to fix it."""

    name: str
    ok: bool
    text: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{'ok ' if self.ok else 'BAD'}  {self.name:<12} {self.text}{f'; {self.fix}' if not self.ok else ''}"


def check(lab: Lab, *, provider: str) -> list[Finding]:
    """Check everything that the lab needs from this machine; changes nothing."""
    present = inventory.take() if provider == "libvirt" else Inventory()
    return [
        processor(platform.machine()),
        *_memory(lab, present, emulated=provider == "libvirt" and not probe().kvm),
        *_disk(lab, present, provider),
        *addresses_of(lab, present, provider),
        *names(lab, present),
        *ranges(lab, present),
        _accelerator(provider),
        _vagrant(),
        *(_libvirt() if provider == "libvirt" else _virtualbox()),
        clock(datetime.now(UTC), _newest_source()),
    ]


def verdict(findings: Sequence[Finding]) -> str:
    """Whether this machine can run the lab, in one line; if not, what to do."""
    wrong = list(dict.fromkeys(it.name for it in findings if not it.ok))
    if not wrong:
        return "ready: this machine can run the lab (invoke lab.up)"
    return f"not ready: do what stands behind {', '.join(wrong)}, then check again: invoke lab.doctor"


def processor(architecture: str) -> Finding:
    """Whether the boxes run on this machine's kind of processor."""
    fix = "the boxes are for x86 only: use another machine"
    return Finding("processor", architecture.lower() in X86, architecture, fix)


def memory(needed_mb: int, available_mb: int) -> Finding:
    """Whether the available memory is enough for the machines that do not run yet."""
    need = f"{needed_mb} MB needed" if needed_mb else "the lab runs and has its memory"
    text = f"{need}, {available_mb} MB available"
    return Finding("memory", needed_mb <= available_mb, text, "close programs, or lower `memory:` in lab.yml")


def memory_needed(lab: Lab, present: Inventory, *, emulated: bool = False) -> int:
    """MB for the nodes that do not run yet."""
    overhead = EMULATED_OVERHEAD_MB if emulated else MEMORY_OVERHEAD_MB
    running = {domain.name.removeprefix(PREFIX) for domain in present.domains if domain.running}
    return sum(node.memory + overhead for node in lab.nodes if node.name not in running)


def memory_available(meminfo: str) -> int:
    """MB of MemAvailable in /proc/meminfo."""
    for line in meminfo.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 0


def disk(folder: Path, needed_mb: int, free_mb: int) -> Finding:
    """Whether `folder` has room for what is still to be written to it."""
    need = f"{needed_mb} MB needed" if needed_mb else "nothing more needed"
    text = f"{need} in {folder}, {free_mb} MB free"
    return Finding("disk", needed_mb <= free_mb, text, f"free space there, see: df -h {folder}")


def addresses_of(lab: Lab, present: Inventory, provider: str) -> list[Finding]:
    """Whether anything else on this machine uses the lab's address ranges."""
    if not shutil.which("ip"):
        return [Finding("addresses", True, f"{lab.network}: not checked, the `ip` command is missing")]
    shown = addresses.ask()
    if provider == "virtualbox":  # it has no management network
        return [range_finding(lab.network, addresses.clashes(lab.network, shown, [VIRTUALBOX_INTERFACES]), FIX_NETWORK)]
    bridges = [network.bridge for network in present.networks]
    fixes = {lab.network: FIX_NETWORK, lab.management: FIX_MANAGEMENT}
    return [range_finding(network, addresses.clashes(network, shown, bridges), fix) for network, fix in fixes.items()]


def free_ranges(lab: Lab, present: Inventory) -> list[IPv4Network]:
    """The lab's ranges that nothing else on this machine uses: only these may get routes."""
    shown, bridges = addresses.ask(), [network.bridge for network in present.networks]
    return [it for it in (lab.network, lab.management) if not addresses.clashes(it, shown, bridges)]


def range_finding(network: IPv4Network, users: list[str], fix: str) -> Finding:
    """Whether the lab can use an address range, as a finding."""
    text = f"{network} is used by {', '.join(users)}" if users else f"{network} is free for the lab"
    return Finding("addresses", not users, text, fix)


def names(lab: Lab, present: Inventory) -> list[Finding]:
    """The nodes whose names in libvirt belong to machines of other projects."""
    taken = sorted({f"{PREFIX}{node.name}" for node in lab.nodes} & set(present.foreign))
    return [Finding("machine", False, f"libvirt has a machine {name} of another project", FIX_NAME) for name in taken]


def ranges(lab: Lab, present: Inventory) -> list[Finding]:
    """The lab's networks whose range differs from lab.yml: libvirt keeps the old range while a machine uses them."""
    wanted = {LAB_NETWORK: lab.network, MANAGEMENT_NETWORK: lab.management}
    other = [it for it in present.networks if it.range not in (None, wanted.get(it.name))]
    text = "the network {0.name} has the range {0.range}, lab.yml says {1}"
    return [Finding("network", False, text.format(it, wanted.get(it.name)), FIX_OTHER_RANGE) for it in other]


def vagrant(output: str) -> Finding:
    """Whether the output of `vagrant --version` names a version that is new enough."""
    version = output.strip().removeprefix("Vagrant ")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    oldest = ".".join(map(str, VAGRANT_OLDEST))
    fix = f"install Vagrant {oldest} or newer: {BOOTSTRAP}"
    return Finding("vagrant", numbers >= VAGRANT_OLDEST, version or "it reports no version", fix)


def clock(now: datetime, newest_source: datetime) -> Finding:
    """Whether the clock is later than the lab's files: if not, certificates and package lists are not valid yet."""
    text = f"{now:%Y-%m-%d %H:%M} UTC"
    sane = now >= newest_source
    if not sane:
        text += f", but the lab's files are from {newest_source:%Y-%m-%d %H:%M} UTC"
    return Finding("clock", sane, text, "set it: date --set")


def _memory(lab: Lab, present: Inventory, *, emulated: bool) -> list[Finding]:
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return []
    return [memory(memory_needed(lab, present, emulated=emulated), memory_available(meminfo.read_text()))]


def _disk(lab: Lab, present: Inventory, provider: str) -> list[Finding]:
    made = {domain.name.removeprefix(PREFIX) for domain in present.domains}
    per_node = sum(DISK_PER_NODE_MB for node in lab.nodes if node.name not in made)
    box = DISK_FOR_BOX_MB if per_node else 0
    home = Path.home()
    images = _existing(IMAGES) if provider == "libvirt" else home
    if images.stat().st_dev == home.stat().st_dev:
        return [disk(images, per_node + 2 * box, _free_mb(images))]
    return [disk(images, per_node + box, _free_mb(images)), disk(home, box, _free_mb(home))]


def _accelerator(provider: str) -> Finding:
    why = probe().why if provider == "libvirt" else "VirtualBox has its own"
    return Finding("accelerator", True, why)


def _vagrant() -> Finding:
    return vagrant(_output("vagrant", "--version"))


def _libvirt() -> list[Finding]:
    qemu = _output(QEMU, "--version").partition("\n")[0]
    return [
        Finding("provider", has_plugin(), "vagrant-libvirt", f"install it: {BOOTSTRAP}"),
        Finding("qemu", bool(qemu), qemu or "it is not installed", f"install it: {BOOTSTRAP}"),
    ]


def _virtualbox() -> list[Finding]:
    version = virtualbox_version(_output("VBoxManage", "--version"))
    text = f"VirtualBox {version}" if version else "VirtualBox does not work"
    return [Finding("provider", bool(version), text, "install VirtualBox and load its kernel module")]


def _output(*command: str) -> str:
    try:
        return process.run(command, timeout=TIMEOUT_S, env={"VAGRANT_CHECKPOINT_DISABLE": "1"}).output.strip()
    except LabError:
        return ""


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _free_mb(folder: Path) -> int:
    return shutil.disk_usage(folder).free // 2**20


def _newest_source() -> datetime:
    newest = max(path.stat().st_mtime for path in Path(__file__).parent.rglob("*.py"))
    return datetime.fromtimestamp(newest, UTC)
