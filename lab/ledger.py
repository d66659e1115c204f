"""The fault ledger: what was injected and not healed yet, on disk before it is done. .lab/faults.json"""

import json
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lab.catalogue import Fault, key_of
from lab.errors import BadInput
from lab.topology import ROOT, Lab

LEDGER = ROOT / ".lab" / "faults.json"
_one_writes = threading.Lock()


def entries(path: Path = LEDGER) -> list[dict[str, Any]]:
    """The active faults as data, oldest first: what Fault.as_data says, and `injected_at` (Unix seconds).

    Raises BadInput if the file was damaged by hand.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        return [dict(it) for it in found]
    except (ValueError, TypeError) as error:
        hint = f"put the lab back, which undoes every fault: invoke lab.reset; then remove {path}"
        raise BadInput(f"{path} is damaged", evidence=str(error), hint=hint) from error


def active(lab: Lab, path: Path = LEDGER) -> list[Fault]:
    """The active faults, oldest first."""
    return [Fault.parse(lab, _without_time(it)) for it in entries(path)]


def add(fault: Fault, at: float, path: Path = LEDGER) -> None:
    """Write a fault down; to be done before it is injected."""
    with _one_writes:
        _write([*_others(fault, path), {**fault.as_data(), "injected_at": at}], path)


def remove(fault: Fault, path: Path = LEDGER) -> None:
    """Strike a fault out; to be done when it was seen to be gone."""
    with _one_writes:
        _write(_others(fault, path), path)


def clear(path: Path = LEDGER) -> None:
    """Forget all faults: the machines are gone, or were put back to a time before them."""
    path.unlink(missing_ok=True)


def _others(fault: Fault, path: Path) -> list[dict[str, Any]]:
    return [it for it in entries(path) if key_of(it) != fault.key]


def _without_time(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != "injected_at"}


def _write(found: Iterable[Mapping[str, Any]], path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    staged = path.with_suffix(".new")
    staged.write_text(json.dumps(list(found), indent=1), encoding="utf-8")
    staged.replace(path)
