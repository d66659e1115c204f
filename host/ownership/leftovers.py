"""What another or an earlier lab left on this machine: find it, name its owner, remove or keep it.

Only one lab fits on a machine. This checkout's own machines are kept, so that an interrupted command can be
run again. Removed is what would block that, and everything of a checkout that no longer exists.
"""

import os
import signal
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from host import processes
from host.names import LIBVIRT_URI, POOL, PREFIX
from host.ownership import inventory, owner, uploads
from host.ownership.inventory import Domain, Inventory
from lab import progress
from lab.errors import InfrastructureBroken
from lab.topology import Node

UNDEFINE = ("--managed-save", "--snapshots-metadata", "--checkpoints-metadata", "--nvram")
INTERRUPT = (signal.SIGINT, signal.SIGTERM)
INTERRUPT_GRACE_S = 30.0


@dataclass(frozen=True)
class Leftover:
    """A machine, volume or network to remove, with its owner and the reason."""

    kind: str
    name: str
    owner: str
    why: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name} of {self.owner}: {self.why}"


@dataclass(frozen=True)
class InUse:
    """Another checkout whose lab is in use (None: its folder is unknown), and what runs."""

    checkout: Path | None
    runs: tuple[str, ...]

    def __str__(self) -> str:
        return f"{_called(self.checkout)}: {', '.join(self.runs)} running"

    @property
    def hint(self) -> str:
        """The commands that free the machine."""
        if self.checkout:
            return f"cd {self.checkout} && .venv/bin/invoke lab.destroy"
        return "; ".join(f"virsh -c {LIBVIRT_URI} destroy {name}" for name in self.runs)


@dataclass(frozen=True)
class Leftovers:
    """The names of the machines to keep, what to remove, and the other checkouts that are in use."""

    remaining: tuple[str, ...]
    swept: tuple[Leftover, ...]
    in_use: tuple[InUse, ...]


@dataclass(frozen=True)
class Checkouts:
    """What is known about checkouts: `ids` are this one's machine ids by node, `busy`: the owner runs a command."""

    ours: Path
    ids: Mapping[str, str]
    existing: Collection[Path]
    owner: Path | None
    busy: bool


def take_over(checkout: Path, nodes: Iterable[Node], box: str = "") -> None:
    """Claim this machine for the lab of `checkout`, after removing what other labs left.

    Raises InfrastructureBroken that names the checkout if another lab is in use; with CI=true that lab is removed
    too. libvirt must run: the private hypervisor has to be started before.
    """
    _end_orphans(checkout)
    ours = tuple(nodes)
    found = find_leftovers(checkout, ours)
    if found.in_use:
        _refuse_or_end(found)
        found = find_leftovers(checkout, ours)
    sweep(found)
    uploads.remove_unfinished(box)
    owner.claim(checkout)


def find_leftovers(checkout: Path, nodes: Iterable[Node]) -> Leftovers:
    """List what libvirt has, and decide about each thing."""
    present = inventory.take()
    known = owner.owner()
    folders = {domain.checkout for domain in present.domains} | {known.checkout if known else None}
    checkouts = Checkouts(
        ours=checkout,
        ids=_ids(checkout, nodes),
        existing=[folder for folder in folders if folder and (folder / "lab.yml").exists()],
        owner=known.checkout if known else None,
        busy=bool(known and processes.living(known.processes)),
    )
    return judge(present, checkouts)


def judge(present: Inventory, checkouts: Checkouts) -> Leftovers:
    """Decide about everything in `present`; changes nothing."""
    whose = {domain.name: domain.checkout or checkouts.owner for domain in present.domains}
    paths = {path for _, path in present.volumes}
    why = {domain.name: _why_swept(domain, whose[domain.name], checkouts, paths) for domain in present.domains}
    remaining = [domain for domain in present.domains if not why[domain.name]]
    swept = [Leftover("machine", name, _called(whose[name]), reason) for name, reason in why.items() if reason]
    used = {disk for domain in remaining for disk in domain.disks}
    for name, path in present.volumes:
        if path not in used:
            makers = [domain.name for domain in present.domains if path in domain.disks]
            maker = _called(whose[makers[0]] if makers else None)
            swept.append(Leftover("volume", name, maker, "its machine is removed" if makers else "it has no machine"))
    if not remaining:
        maker = _called(checkouts.owner)
        swept += [Leftover("network", it.name, maker, "no machine uses it") for it in present.own_networks]
    return Leftovers(tuple(domain.name for domain in remaining), tuple(swept), _in_use(present, whose, checkouts))


def sweep(found: Leftovers) -> None:
    """Remove the leftovers, with a progress line for each."""
    for leftover in found.swept:
        progress.say("host", f"removing {leftover}")
        _remove(leftover.kind, leftover.name)


def clear() -> None:
    """Remove everything of the lab from libvirt, in whatever state it is."""
    present = inventory.take()
    for kind, names in (
        ("machine", [domain.name for domain in present.domains]),
        ("volume", [name for name, _ in present.volumes]),
        ("network", [network.name for network in present.own_networks]),
    ):
        for name in names:
            _remove(kind, name)


def release(checkout: Path) -> None:
    """Forget that this checkout owns the lab of this machine."""
    owner.release(checkout)


def verify_gone() -> list[str]:
    """Everything of a lab that libvirt still has, one line each; empty if nothing is left."""
    present = inventory.take()
    return [
        *(f"machine {domain.name}" for domain in present.domains),
        *(f"volume {name}" for name, _ in present.volumes),
        *(f"network {network.name}" for network in present.own_networks),
    ]


def _why_swept(domain: Domain, whose: Path | None, checkouts: Checkouts, volumes: Collection[Path]) -> str:
    """Why a machine is to be removed, or '' to keep it."""
    if whose != checkouts.ours:
        gone = whose and whose not in checkouts.existing
        return "that checkout no longer exists" if gone else "it belongs to another checkout"
    node = domain.name.removeprefix(PREFIX)
    if node not in checkouts.ids:
        return "lab.yml has no such node"
    if checkouts.ids[node] != domain.uuid:
        return "Vagrant does not know it"
    if any(disk.name.startswith(PREFIX) and disk not in volumes for disk in domain.disks):
        return "its disk is gone"
    return ""


def _in_use(present: Inventory, whose: Mapping[str, Path | None], checkouts: Checkouts) -> tuple[InUse, ...]:
    """Other existing checkouts with a running machine or command; an unknown owner counts as existing."""
    running: dict[Path | None, list[str]] = {}
    for domain in present.domains:
        if domain.running:
            running.setdefault(whose[domain.name], []).append(domain.name)
    if checkouts.busy:
        running.setdefault(checkouts.owner, []).append("a command")
    return tuple(
        InUse(folder, tuple(runs))
        for folder, runs in running.items()
        if folder != checkouts.ours and (folder is None or folder in checkouts.existing)
    )


def _called(folder: Path | None) -> str:
    return str(folder) if folder else "an unknown owner"


def _refuse_or_end(found: Leftovers) -> None:
    if os.environ.get("CI") != "true":
        raise InfrastructureBroken(
            "host: this machine runs the lab of another checkout, and only one fits",
            evidence="\n".join(map(str, found.in_use)),
            hint="; ".join(it.hint for it in found.in_use) + "; with CI=true in the environment it is removed",
        )
    progress.say("host", "CI=true: removing the lab of another checkout although it is in use")
    known = owner.owner()
    if known:
        living = processes.living(known.processes)
        processes.end(living, gentle=INTERRUPT, grace=INTERRUPT_GRACE_S)
        _end_orphans(known.checkout)


def _end_orphans(checkout: Path) -> None:
    """End the Vagrant of a killed command: it would keep creating or changing machines."""
    orphans = processes.orphaned_vagrants(checkout)
    if orphans:
        progress.say("host", f"ending the Vagrant of a command that was killed: {orphans[0]}")
        processes.end(orphans, gentle=INTERRUPT, grace=INTERRUPT_GRACE_S)


def _ids(checkout: Path, nodes: Iterable[Node]) -> dict[str, str]:
    files = {node.name: checkout / ".vagrant/machines" / node.name / "libvirt/id" for node in nodes}
    return {name: file.read_text().strip() if file.exists() else "" for name, file in files.items()}


def _remove(kind: str, name: str) -> None:
    if kind == "machine":
        inventory.virsh("destroy", name, ok=(0, 1))  # 1: it is not running
        inventory.virsh("undefine", name, *UNDEFINE)
    elif kind == "volume":
        inventory.virsh("vol-delete", name, "--pool", POOL)
    else:
        inventory.virsh("net-destroy", name, ok=(0, 1))
        inventory.virsh("net-undefine", name, ok=(0, 1))  # 1: it was transient, so destroying it removed it
