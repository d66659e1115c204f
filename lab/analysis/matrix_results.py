"""docs/matrix.jsonl: the result of each run of the matrix, one JSON object per line; none is changed or dropped."""

import ast
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from lab import process
from lab.analysis import timeline
from lab.analysis.checks.catalogue import REPORTED, Check
from lab.analysis.history import History
from lab.analysis.judgement import Judgement
from lab.errors import BadInput, LabError
from lab.topology import ROOT

RESULTS = ROOT / "docs" / "matrix.jsonl"
MATTERS = ("lab", "fabfile", "provision", "loadtests", "lab.yml")  # the files that can change a result
DRAWS = ROOT / "lab" / "report"  # only draws results
GIT_S = 20.0
VERSIONS = {
    "haproxy": r"HAProxy version ([^\s,]+)",
    "nginx": r"nginx/([^\s,]+)",
    "php": r"(?:php-fpm|PHP )([\d.]+)",
    "mysql": r"mysqld +Ver ([^\s,]+)",
    "kernel": r"(?:^|, )(\d+\.\d+[^\s,]*)$",
}
Result = Mapping[str, Any]


def load(path: Path = RESULTS) -> list[dict[str, Any]]:
    """All results, the oldest first; raise BadInput naming every damaged line."""
    found, mistakes = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines() if path.exists() else (), 1):
        try:
            it = json.loads(line)
            found.append({**it, "name": str(it["name"]), "verdict": str(it["verdict"])})
        except (ValueError, KeyError, TypeError) as error:
            mistakes.append(f"line {number}: {type(error).__name__}: {error}")
    if mistakes:
        raise BadInput.listing(f"{path} is damaged", mistakes, hint=f"compare it with git: git diff {path.name}")
    return found


def append(result: Result, path: Path = RESULTS) -> None:
    """Add a result; it is in the file when this returns, and no part of it is if the disk is full."""
    with path.open("ab", buffering=0) as file:
        timeline.append_line(file, (json.dumps(result, ensure_ascii=False) + "\n").encode())


def of(results: Iterable[Result], name: str, fingerprint: str = "", rounds: int = 0) -> list[Result]:
    """The results of one experiment, the newest first; of this code and at least so many rounds, if given."""
    found = [it for it in results if it["name"] == name and fingerprint in ("", it["fingerprint"])]
    return [it for it in reversed(found) if it["rounds"] >= rounds]


def fingerprint(name: str, root: Path = ROOT) -> str:
    """A hash of everything that can change the result of an experiment, which documents and reports can't.

    It covers contents, not file names: code that is moved to another file keeps its results.
    """
    parts = sorted(part for path in _matter(name, root) for part in _parts(path.read_bytes(), path.suffix))
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]


@cache
def _parts(content: bytes, suffix: str) -> tuple[str, ...]:
    """A hash of each statement of Python, without imports and docstrings; of the whole of another file."""
    if suffix != ".py":
        return (hashlib.sha256(content).hexdigest(),)
    tree = ast.parse(content)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [it for it in node.body if not _is_text(it)]
    statements = [it for it in tree.body if not isinstance(it, ast.Import | ast.ImportFrom)]
    return tuple(hashlib.sha256(ast.dump(it).encode()).hexdigest() for it in statements)


def _is_text(statement: ast.stmt) -> bool:
    """Whether it is a docstring or another bare constant, which decides nothing."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _matter(name: str, root: Path) -> Iterator[Path]:
    draws = root / DRAWS.relative_to(ROOT)
    yield from sorted((root / "experiments").rglob(f"{name}.yml"))
    for part in MATTERS:
        below = sorted((root / part).rglob("*")) if (root / part).is_dir() else [root / part]
        yield from (it for it in below if it.is_file() and draws not in it.parents and "__pycache__" not in it.parts)


def commit() -> str:
    """The commit of this checkout, with a '+' if files that matter were changed since; 'unknown' without git."""
    git = ["git", "-C", str(ROOT)]
    try:
        head = process.run([*git, "rev-parse", "--short", "HEAD"], timeout=GIT_S).output.strip()
        changed = process.run([*git, "status", "--porcelain", "--", *MATTERS, "experiments"], timeout=GIT_S).output
    except LabError:
        return "unknown"
    return head + ("+" if changed.strip() else "")


def of_run(judgement: Judgement, run: str, how: Result) -> dict[str, Any]:
    """The result of a run; `run` is its folder's name, `how` says when, where and with what it was made."""
    it, history = judgement.summary, judgement.history
    measured = {name: it[name] for name in ("requests", "reads", "detection", "writes", "generator")}
    versions_ = versions(history.run.get("versions", {}))
    why = [] if judgement.verdict == "pass" else [*_broken(history), *_decided(judgement.checks)]
    return {**how, "verdict": judgement.verdict, "versions": versions_, **measured, "why": why, "run": run}


def of_error(error: LabError, how: Result) -> dict[str, Any]:
    """The result of an experiment that could not begin."""
    return {**how, "verdict": "error", "why": [error.what, *error.evidence.splitlines()[:3]]}


def interrupted(history: History) -> bool:
    """Whether this run was interrupted: then it proves nothing except an observed violation."""
    ends = history.seen("lab", "end")
    return bool(ends) and ends[-1].data.get("why") == "interrupted"


def versions(reported: Mapping[str, str]) -> dict[str, str]:
    """The version of each product as the nodes reported it; several if they differ."""
    found: dict[str, str] = {}
    for name, pattern in VERSIONS.items():
        seen = {match[1] for text in reported.values() if (match := re.search(pattern, text))}
        found |= {name: " and ".join(sorted(seen))} if seen else {}
    return found


def _broken(history: History) -> Iterator[str]:
    for entry in history.broken:
        yield f"the test infrastructure failed: {entry.data['why'].splitlines()[0]}"
    ends = history.seen("lab", "end")
    if not ends or not ends[-1].data["complete"]:
        yield "the run ended early"


def _decided(checks: Sequence[Check]) -> Iterator[str]:
    for it in checks:
        if it.verdict == "fail" or (it.verdict == "inconclusive" and it.bound != REPORTED):
            yield f"{it.name} {it.verdict}: {it.value} {it.unit}, {it.bound} ({it.detail})"
