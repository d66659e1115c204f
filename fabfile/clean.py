"""The clean snapshot: how the lab was right after it was made, and the way back to it."""

import hashlib
from collections.abc import Mapping
from typing import Any

import yaml

from fabfile import accounts, converge
from fabfile.target import Target
from lab import choices, credentials, hypervisor, ledger, progress, remembered, snapshots
from lab.ensure import fingerprint
from lab.errors import CheckFailed
from lab.release import Release
from lab.restore import restore
from lab.topology import ROOT, Lab

RECORD = ROOT / ".lab" / "clean.yml"
KEPT = ("provider", "box")  # they say what the machines are, not how they are set
DEFAULTS = {"durability": "durable"}  # set in no file


def keep(lab: Lab, systems: dict[str, str]) -> None:
    """Take the clean snapshot if there is none yet; `systems` are the nodes' /etc/os-release.

    Where only the snapshot or only its record is gone, it says that the lab is kept as it is now.
    """
    if hypervisor.provider() != "libvirt":
        return
    there = {
        "the clean snapshot": snapshots.CLEAN in snapshots.names(lab),
        "the clean snapshot's record": bool(_record()),
    }
    gone = [what for what, is_there in there.items() if not is_there]
    if len(gone) == 1:
        progress.say("host", f"{gone[0]} is gone: takes it from the lab as it is now")
    if gone:
        _take(lab, systems)


def reset(lab: Lab) -> list[str]:
    """Put the lab back to the clean snapshot and forget all choices; returns what a converge changed after it.

    A snapshot of another configuration is brought up to date and taken anew. Raises CheckFailed where there
    is none.
    """
    record = _clean_or_refused(lab)
    choices.forget(KEPT)
    restore(lab, snapshots.CLEAN)
    ledger.clear()
    remembered.forget()
    if record["configuration"] == configuration(lab, record["systems"], {}):
        return []
    progress.say("host", "the clean snapshot is of another configuration: it is converged and taken anew")
    changed = converge.everything(lab).changed
    _take(lab, record["systems"])
    return changed


def configuration(lab: Lab, systems: Mapping[str, str], chosen: Mapping[str, Any]) -> str:
    """A hash of the box, of what was chosen, and of every file that the roles write with it."""
    chosen = {name: value for name, value in {**DEFAULTS, **chosen}.items() if name not in KEPT}
    passwords = credentials.passwords(it.name for it in accounts.load(lab))
    whole = hashlib.sha256(yaml.safe_dump([hypervisor.found()["box"], chosen]).encode())
    for node in lab.nodes:
        target = Target(lab, node, Release.of(systems[node.name]), chosen, passwords)
        for file in converge.desired(target).files:
            whole.update(f"{node.name} {file.path} {fingerprint(file)}\n".encode())
    return whole.hexdigest()


def _clean_or_refused(lab: Lab) -> dict[str, Any]:
    if hypervisor.provider() != "libvirt":
        raise CheckFailed(
            f"there are no snapshots with {hypervisor.provider()}",
            hint="repair the configuration: invoke lab.provision; or make the lab anew: invoke lab.destroy lab.up",
        )
    record = _record()
    if not record or snapshots.CLEAN not in snapshots.names(lab):
        raise CheckFailed("there is no clean snapshot", hint="make the lab anew: invoke lab.destroy lab.up")
    return record


def _take(lab: Lab, systems: dict[str, str]) -> None:
    """The record goes first and comes last: a snapshot without one is never taken for a clean one."""
    progress.say("host", "takes the snapshot clean, for lab.reset")
    RECORD.unlink(missing_ok=True)
    snapshots.take(lab, snapshots.CLEAN)
    record = {"configuration": configuration(lab, systems, choices.load()), "systems": systems}
    staged = RECORD.with_suffix(".new")
    staged.write_text(yaml.safe_dump(record), encoding="utf-8")
    staged.replace(RECORD)


def _record() -> dict[str, Any]:
    """What is known of the clean snapshot; empty where nothing is, or the file was damaged."""
    try:
        record = yaml.safe_load(RECORD.read_text(encoding="utf-8"))
    except (FileNotFoundError, yaml.YAMLError):
        return {}
    return record if isinstance(record, dict) and {"configuration", "systems"} <= record.keys() else {}
