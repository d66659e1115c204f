"""Passwords of the lab's accounts: generated once, kept with mode 600, never on a command line."""

import secrets
from collections.abc import Iterable
from pathlib import Path

import yaml

from lab import state_files
from lab.errors import BadInput
from lab.topology import ROOT

SECRETS = ROOT / ".lab" / "secrets.yml"


def passwords(accounts: Iterable[str], path: Path = SECRETS) -> dict[str, str]:
    """The password of each account; those not known yet are made and saved.

    Raises BadInput if the file was damaged by hand.
    """
    try:
        known = (yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None) or {}
        known = {str(name): str(password) for name, password in known.items()}
    except (yaml.YAMLError, AttributeError) as error:
        raise BadInput(f"{path} is damaged", hint=f"remove {path}: the next converge makes new passwords") from error
    missing = [name for name in accounts if name not in known]
    if missing:
        known |= {name: secrets.token_urlsafe(18) for name in missing}
        state_files.replace(path, yaml.safe_dump(known), mode=0o600)
    return known
