"""The commands that the hosting machine needs: as host-packages/ declares them, and as the code calls them."""

import re
from pathlib import Path

from tests.commands import python, shell, source

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ["lab", "host", "box", "fabfile", "commands"]
TOGETHER = ["bootstrap.sh", "host-packages/install.sh", "host-packages/consent.sh"]  # one program, in three files
OWN = {"bootstrap.sh", "invoke", "python", "locust"}  # of this checkout and its .venv
TYPED = re.compile(r"^ {4,6}([a-z][a-z0-9-]*) ", re.MULTILINE)  # the first word of a line of code
NO_COMMANDS = {
    "acknowledged",
    "balancer",
    "database",
    "fabfile",
    "inside",
    "last",
    "lb1",
    "site",
    "visitors",
    "web1",
    "web2",
}  # shown
ELSEWHERE = {"python3"}  # of macOS


def declared() -> dict[str, str]:
    """Command -> the package that brings it, 'base' or 'optional'."""
    lines = (ROOT / "host-packages/commands.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.split() for line in lines if not line.startswith("#")]
    return {row[0]: row[1] for row in rows}


def packages() -> list[str]:
    """The packages that bootstrap.sh installs."""
    lines = (ROOT / "host-packages/debian.txt").read_text(encoding="utf-8").splitlines()
    return [line.split()[0] for line in lines if not line.startswith("#")]


def called() -> set[str]:
    """Every command that Python and scripts call on the hosting machine."""
    scripts = ["\n".join((ROOT / name).read_text(encoding="utf-8") for name in TOGETHER)]
    scripts += [path.read_text(encoding="utf-8") for path in [ROOT / ".ci/run", *(ROOT / "box/hooks").glob("*.sh")]]
    names = python.programs(source.read(ROOT, PYTHON, ["tasks.py"]))
    for script in scripts:
        names |= shell.programs(script)
    return names - OWN


def typed() -> set[str]:
    """Every command that the README and docs/ tell to type."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))]
    return {word for text in texts for word in TYPED.findall(text)} - OWN - NO_COMMANDS - ELSEWHERE
