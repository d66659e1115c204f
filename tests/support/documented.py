"""What docs/interface.md promises to scripts."""

import json
import re
from typing import Any

from lab.topology import ROOT

DOCUMENT = ROOT / "docs" / "interface.md"
BLOCK = re.compile(r"## `([^`]+)`.*?```json\n(.*?)```", re.DOTALL)
ROW = re.compile(r"^\| (\w+) \| ([\w-]+) \| ([\w, ]+) \|", re.MULTILINE)


def examples() -> dict[str, Any]:
    """The examples, by the document that they are of."""
    return {name: json.loads(block) for name, block in BLOCK.findall(DOCUMENT.read_text(encoding="utf-8"))}


def kinds() -> dict[tuple[str, str], set[str]]:
    """The keys of an entry of a timeline, by its observer and kind."""
    rows = ROW.findall(DOCUMENT.read_text(encoding="utf-8"))
    return {(observer, kind): set(keys.split(", ")) for observer, kind, keys in rows if observer != "observer"}


def shape(it: Any) -> Any:
    """The keys alone, at every depth; lists by their first, which all are like."""
    if isinstance(it, dict):
        return {key: shape(value) for key, value in it.items()}
    return [shape(part) for part in it[:1]] if isinstance(it, list) else None
