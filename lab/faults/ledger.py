"""The fault ledger: what was injected and not healed yet, on disk before it is done. .lab/faults.json"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from lab.errors import BadInput
from lab.faults.kinds import ALL, Fault, key_of
from lab.state import atomic_file
from lab.state.atomic_file import atomic_write
from lab.topology import ROOT, Lab

LEDGER = ROOT / ".lab" / "faults.json"


def entries() -> list[dict[str, Any]]:
    """The active faults as data, oldest first: what Fault.as_data says, and `injected_at` (Unix seconds).

    Raises BadInput if the file was damaged by hand.
    """
    try:
        found = json.loads(LEDGER.read_text(encoding="utf-8")) if LEDGER.exists() else []
        return [dict(it) for it in found]
    except (ValueError, TypeError) as error:
        hint = f"put the lab back, which undoes every fault: invoke lab.reset; then remove {LEDGER}"
        raise BadInput(f"{LEDGER} is damaged", evidence=str(error), hint=hint) from error


def active(lab: Lab) -> list[Fault]:
    """The active faults, oldest first, but for those of nodes that lab.yml has no more."""
    return [Fault.parse(lab, _without_time(it)) for it in entries() if _is_here(lab, it)]


def strike_gone(lab: Lab) -> list[str]:
    """Forget the faults of nodes that lab.yml has no more: nobody can heal them, and lab.up sweeps the machine."""
    with atomic_file.alone(LEDGER):
        found = entries()
        gone = [str(it["id"]) for it in found if not _is_here(lab, it)]
        if gone:
            _write(it for it in found if _is_here(lab, it))
    return gone


def _is_here(lab: Lab, entry: Mapping[str, Any]) -> bool:
    """Whether its node and its peer are in lab.yml; a cut between a node and one that is gone ends by its timer."""
    return {entry["node"], entry["peer"]} <= {"", ALL, *(node.name for node in lab.nodes)}


def add(fault: Fault, at: float) -> None:
    """Write a fault down; to be done before it is injected."""
    with atomic_file.alone(LEDGER):
        _write([*_others(fault), {**fault.as_data(), "injected_at": at}])


def remove(fault: Fault) -> None:
    """Strike a fault out; to be done when it was seen to be gone."""
    with atomic_file.alone(LEDGER):
        _write(_others(fault))


def clear() -> None:
    """Forget all faults: the machines are gone, or were put back to a time before them."""
    with atomic_file.alone(LEDGER):
        LEDGER.unlink(missing_ok=True)


def _others(fault: Fault) -> list[dict[str, Any]]:
    return [it for it in entries() if key_of(it) != fault.key]


def _without_time(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != "injected_at"}


def _write(found: Iterable[Mapping[str, Any]]) -> None:
    atomic_write(LEDGER, json.dumps(list(found), indent=1))
