"""Passwords of the lab's accounts: generated once, kept with mode 600, never on a command line."""

import re
import secrets
from collections.abc import Iterable
from pathlib import Path

import yaml

from lab.errors import BadInput
from lab.state.atomic_file import atomic_write
from lab.topology import ROOT

PLAIN = re.compile(r"[A-Za-z0-9_-]{1,32}")  # they are put into SQL; SOURCE_PASSWORD takes at most 32 characters
PLAIN_WORDS = "1 to 32 letters, digits, - and _"

SECRETS = ROOT / ".lab" / "secrets.yml"


def passwords(accounts: Iterable[str], path: Path = SECRETS) -> dict[str, str]:
    """The password of each account; missing ones are generated and saved.

    Raises BadInput if the file was damaged by hand.
    """
    try:
        known = (yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None) or {}
        known = {str(name): str(password) for name, password in known.items()}
    except (yaml.YAMLError, AttributeError) as error:
        raise BadInput(f"{path} is damaged", hint=f"remove {path}: the next converge sets new passwords") from error
    mistakes = [f"{name}: {PLAIN_WORDS}" for name, it in known.items() if not PLAIN.fullmatch(it)]
    if mistakes:
        raise BadInput.listing(f"{path} has passwords that can't be used", mistakes, "correct them, then run it again")
    missing = [name for name in accounts if name not in known]
    if missing:
        known |= {name: secrets.token_urlsafe(18) for name in missing}
        atomic_write(path, yaml.safe_dump(known), mode=0o600)
    return known
