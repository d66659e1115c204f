"""What commands chose (provider, box, ...): .lab/choices.yml, which beats lab.yml."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from lab import progress
from lab.errors import BadInput
from lab.state.atomic_file import atomic_write
from lab.topology import ROOT

CHOICES = ROOT / ".lab" / "choices.yml"
WITHOUT = "without"  # the protections that an experiment takes away, in its file and among the choices
ASIDE = CHOICES.with_name("choices-before-experiment.yml")  # there while an experiment chooses for itself


def load(path: Path = CHOICES) -> dict[str, Any]:
    """All choices so far; raises BadInput if the file was damaged by hand."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    except yaml.YAMLError as error:
        raise BadInput(f"{path} is not YAML", evidence=str(error), hint=f"correct it or remove {path}") from error
    if data is not None and not isinstance(data, dict):
        raise BadInput(f"{path} is not a list of choices", hint=f"correct it or remove {path}")
    return data or {}


def save(changes: Mapping[str, Any], path: Path = CHOICES) -> None:
    """Keep these choices and all earlier ones; the file is replaced whole."""
    _write({**load(path), **changes}, path)


def forget(keep: Collection[str], path: Path = CHOICES) -> None:
    """Forget all choices but those named in `keep`."""
    _write({name: value for name, value in load(path).items() if name in keep}, path)


def set_aside() -> None:
    """Write down what the user chose, for `bring_back`; what an experiment left away was nobody's choice."""
    _write({name: value for name, value in load().items() if name != WITHOUT}, ASIDE)


def bring_back() -> bool:
    """Choose again what was set aside, if anything was; whether anything else was chosen meanwhile.

    What is left away stays on record until a converge has put it back.
    """
    if not ASIDE.exists():
        return False
    own, now = load(ASIDE), load()
    _write({**own, **{name: now[name] for name in now if name == WITHOUT}}, CHOICES)
    ASIDE.unlink()
    return now != own


def of_the_user() -> None:
    """Bring back, and say, what an experiment that was killed could not; for a command that has the lock alone."""
    if bring_back():
        chosen = ", ".join(f"{name} {value}" for name, value in load().items()) or "none"
        progress.say("lab", f"an experiment was killed: the next converge does what you chose before it ({chosen})")


def _write(chosen: Mapping[str, Any], path: Path) -> None:
    atomic_write(path, yaml.safe_dump(dict(chosen)))
