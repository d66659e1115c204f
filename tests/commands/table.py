"""The commands that the hosting machine needs: as host-packages/ declares them, and as the code calls them."""

from pathlib import Path

from tests.commands import python, shell, source

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ["lab", "host", "box", "fabfile", "commands"]
TOGETHER = ["bootstrap.sh", "host-packages/install.sh", "host-packages/consent.sh"]  # one program, in three files
OWN = {"bootstrap.sh", "invoke", "python"}  # of this checkout and its .venv


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
