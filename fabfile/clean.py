"""The clean snapshot: how the lab was right after it was made, and the way back to it.

Its record is written when the lab begins to be made. A lab whose record or snapshot was lost since is a used one: it is
never kept as clean.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import yaml

from fabfile import accounts, converge
from fabfile.converge import Outcome
from fabfile.target import Target
from lab import choices, credentials, hypervisor, lifecycle, progress, remembered, snapshots
from lab.ensure import fingerprint
from lab.errors import CheckFailed
from lab.facts import databases_of
from lab.release import Release
from lab.restore import restore
from lab.topology import ROOT, Lab
from lab.wait import until

RECORD = ROOT / ".lab" / "clean.yml"
KEPT = ("provider", "box")  # they say what the machines are, not how they are set
DEFAULTS = {"durability": "durable"}  # set in no file
MAKING, STALE = "the lab is being made", "the snapshot is being taken anew"  # in the place of a configuration's hash
ANEW = "make the lab anew: invoke lab.destroy lab.up"
ANSWERS_S = 60.0


def begin(lab: Lab) -> None:
    """Where no machine is there yet, record that the lab is being made; what is known of an earlier one is void."""
    if set(hypervisor.states(lab).values()) == {"absent"}:
        _write(MAKING, {})
        remembered.forget()


def keep(lab: Lab, systems: dict[str, str]) -> None:
    """Take the clean snapshot of a lab that was just made; `systems` are the nodes' /etc/os-release.

    Where the snapshot of a used lab is missing, it says so and how to get one.
    """
    if hypervisor.provider() != "libvirt":
        return
    missing = _missing(lab)
    if missing and _record().get("configuration") == MAKING:
        _take(lab, systems)
    elif missing:
        progress.say("host", f"{missing}, and this lab was in use: lab.reset can't put it back; {ANEW}")


def reset(lab: Lab) -> list[str]:
    """Put the lab back to the clean snapshot and forget all choices; returns what a converge changed after it.

    A snapshot of another configuration is converged before the lab is waited for, and taken anew. Raises CheckFailed
    where there is none.
    """
    record = _clean_or_refused(lab)
    choices.forget(KEPT)
    if _is_of_today(lab, record):
        restore(lab, snapshots.CLEAN)
        return []
    outcomes: list[Outcome] = []
    restore(lab, snapshots.CLEAN, lambda: outcomes.append(_converged(lab)))
    _write(STALE, record["systems"])  # a new snapshot must not have the old configuration on record
    _take(lab, outcomes[0].systems)
    return outcomes[0].changed


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


def _is_of_today(lab: Lab, record: Mapping[str, Any]) -> bool:
    """Whether the clean snapshot is of the configuration that is wanted now."""
    if any(node.name not in record["systems"] for node in lab.nodes):
        return False
    return bool(record["configuration"] == configuration(lab, record["systems"], {}))


def _converged(lab: Lab) -> Outcome:
    progress.say("host", "the clean snapshot is of another configuration: it is converged and taken anew")
    doors = lifecycle.running(lab, "database")
    answer = "every MySQL answers"
    until(answer, lambda: None not in databases_of(doors).values(), ANSWERS_S, where="lab", hint="invoke lab.logs")
    return converge.everything(lab)


def _clean_or_refused(lab: Lab) -> dict[str, Any]:
    if hypervisor.provider() != "libvirt":
        raise CheckFailed(
            f"there are no snapshots with {hypervisor.provider()}",
            hint="repair the configuration: invoke lab.provision; or make the lab anew: invoke lab.destroy lab.up",
        )
    missing = _missing(lab)
    if missing:
        raise CheckFailed(f"there is no clean snapshot to go back to: {missing}", hint=ANEW)
    return _record()


def _missing(lab: Lab) -> str:
    """What is missing of the clean snapshot, in words; '' where all is there."""
    if not _record():
        return "the clean snapshot's record is missing"
    if snapshots.CLEAN in snapshots.names(lab):
        return ""
    nodes = snapshots.lacking(lab, snapshots.CLEAN)
    return f"the clean snapshot{' of ' if nodes else ''}{', '.join(nodes)} is missing"


def _take(lab: Lab, systems: dict[str, str]) -> None:
    progress.say("host", "takes the snapshot clean, for lab.reset")
    snapshots.take(lab, snapshots.CLEAN)
    _write(configuration(lab, systems, choices.load()), systems)


def _write(made_with: str, systems: Mapping[str, str]) -> None:
    RECORD.parent.mkdir(exist_ok=True)
    record = {"configuration": made_with, "systems": dict(systems)}
    staged = RECORD.with_suffix(".new")
    staged.write_text(yaml.safe_dump(record), encoding="utf-8")
    staged.replace(RECORD)


def _record() -> dict[str, Any]:
    """What is known of the clean snapshot; empty where nothing is, or the file was damaged."""
    try:
        record = yaml.safe_load(RECORD.read_text(encoding="utf-8"))
    except (FileNotFoundError, yaml.YAMLError):
        return {}
    whole = isinstance(record, dict) and "configuration" in record and isinstance(record.get("systems"), dict)
    return record if whole else {}
