"""The clean snapshot: how the lab was right after it was made, and the way back to it."""

import hashlib

import yaml

from fabfile import accounts, converge
from fabfile.target import Target
from lab import choices, credentials, hypervisor, progress, snapshots
from lab.ensure import fingerprint
from lab.errors import CheckFailed
from lab.release import Release
from lab.restore import restore
from lab.topology import ROOT, Lab

RECORD = ROOT / ".lab" / "clean.yml"
KEPT = ("provider", "box")  # they say what the machines are, not how they are set


def keep(lab: Lab, systems: dict[str, str]) -> None:
    """Take the clean snapshot if there is none yet; `systems` are the nodes' /etc/os-release."""
    if hypervisor.provider() == "libvirt" and snapshots.CLEAN not in snapshots.names(lab):
        _take(lab, systems)


def reset(lab: Lab) -> list[str]:
    """Put the lab back to the clean snapshot and forget all choices; returns what a converge changed after it.

    A snapshot of an older configuration is brought up to date and taken anew. Raises CheckFailed where there
    is none.
    """
    if snapshots.CLEAN not in snapshots.names(lab) or not RECORD.exists():
        raise CheckFailed("there is no clean snapshot", hint="make the lab anew: invoke lab.destroy lab.up")
    choices.forget(KEPT)
    record = yaml.safe_load(RECORD.read_text(encoding="utf-8"))
    restore(lab, snapshots.CLEAN)
    if record["configuration"] == configuration(lab, record["systems"]):
        return []
    progress.say("host", "the clean snapshot is of an older configuration: it is converged and taken anew")
    changed = converge.everything(lab).changed
    _take(lab, record["systems"])
    return changed


def configuration(lab: Lab, systems: dict[str, str]) -> str:
    """A hash of the box and of every file that the roles write, with nothing chosen."""
    passwords = credentials.passwords(it.name for it in accounts.load(lab))
    whole = hashlib.sha256(str(hypervisor.found()["box"]).encode())
    for node in lab.nodes:
        target = Target(lab, node, Release.of(systems[node.name]), {}, passwords)
        for file in converge.desired(target).files:
            whole.update(f"{node.name} {file.path} {fingerprint(file)}\n".encode())
    return whole.hexdigest()


def _take(lab: Lab, systems: dict[str, str]) -> None:
    progress.say("host", "takes the snapshot clean, for lab.reset")
    snapshots.take(lab, snapshots.CLEAN)
    record = {"configuration": configuration(lab, systems), "systems": systems}
    RECORD.write_text(yaml.safe_dump(record), encoding="utf-8")
