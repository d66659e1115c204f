"""Rules that no linter knows: sizes, names, a page that names what is there, and a lock file that is complete."""

import ast
import importlib.metadata
import os
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {".git", ".venv", ".lab", ".vagrant", "runs", "__pycache__"}
FILE_LINES, FUNCTION_LINES = 250, 40


def files() -> Iterator[Path]:
    """Every file of the checkout that is the project's own."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in NOT_OURS and not name.endswith(("_cache", ".egg-info"))]
        yield from (Path(folder, name) for name in names)


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Name and syntax tree of every Python file."""
    for path in files():
        if path.suffix == ".py":
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def test_no_file_is_long() -> None:
    """A Python file or script is read in one go."""
    texts = {path: path.read_bytes() for path in files() if path.suffix in {".py", ".sh", ".php"}}
    assert [str(path) for path, text in texts.items() if text.count(b"\n") > FILE_LINES] == []


def test_no_function_is_long() -> None:
    """A function does one thing."""
    long = []
    for name, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.end_lineno:
                lines = node.end_lineno - node.lineno + 1
                long += [f"{name}: {node.name}: {lines} lines"] if lines > FUNCTION_LINES else []
    assert long == []


def test_what_has_a_first_line_for_the_kernel_can_be_executed() -> None:
    """A script is started by its name."""
    scripts = [path for path in files() if path.read_bytes().startswith(b"#!")]
    assert [str(path) for path in scripts if not os.access(path, os.X_OK)] == []


def test_no_role_hides_another_module() -> None:
    """`fab` puts fabfile/ on sys.path, so that a role named like a library would be imported in its place."""
    names = {path.stem for path in (ROOT / "fabfile").glob("*.py")}
    installed = importlib.metadata.packages_distributions()
    assert names & (set(sys.stdlib_module_names) | set(installed)) == set()


def test_the_lock_file_pins_what_the_project_asks_for() -> None:
    """Every requirement of pyproject.toml is in requirements.lock, with a version that fits and with hashes."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = re.findall(r"^([\w.-]+)==(\S+).*\\\n +--hash=sha256:", lock, re.MULTILINE)
    versions = {canonicalize_name(name): version for name, version in pins}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["check"]]
    for requirement in map(Requirement, wanted):
        version = versions.get(canonicalize_name(requirement.name), "")
        assert version, f"{requirement.name} is not locked"
        assert requirement.specifier.contains(version), f"{requirement} is locked at {version}"


def test_nothing_in_the_lock_file_is_unpinned() -> None:
    """Each entry of requirements.lock is one version, with hashes."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    starts = [line for line in lock.splitlines() if line and not line.startswith((" ", "#"))]
    assert [line for line in starts if not re.match(r"[\w.-]+==\S+( ;.*)? \\$", line)] == []


def test_the_library_stays_in_packages() -> None:
    """A listing of it reads as the architecture."""
    flat = [path.name for path in (ROOT / "lab").glob("*.py") if path.name != "__init__.py"]
    assert len(flat) <= 12, flat


def test_the_page_on_the_architecture_names_what_is_there() -> None:
    """Each path in it."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = [
        it for it in re.findall(r"`([^`\s()]+)`", text) if "/" in it or it.endswith((".py", ".yml", ".md", ".toml"))
    ]
    assert len(named) > 50
    assert [it for it in named if not (ROOT / it).exists()] == []
