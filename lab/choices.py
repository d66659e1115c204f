"""What commands chose (provider, box, ...): .lab/choices.yml, which beats lab.yml."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.errors import BadInput
from lab.topology import ROOT

CHOICES = ROOT / ".lab" / "choices.yml"


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
    path.parent.mkdir(exist_ok=True)
    staged = path.with_suffix(".new")
    staged.write_text(yaml.safe_dump({**load(path), **changes}), encoding="utf-8")
    staged.replace(path)
