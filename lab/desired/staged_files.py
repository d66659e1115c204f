"""Bash that writes files: first all of them aside, where their products check them, and then each in its place."""

import base64
import io
import shlex
import tarfile
from collections.abc import Mapping, Sequence
from posixpath import basename, dirname

from lab.desired.state import File

OWNER_ONLY = 0o600


def step(name: str) -> str:
    """Bash that says what comes next: the last such line is the evidence where it fails."""
    return f"echo {shlex.quote('step: ' + name)}"


def stage(files: Sequence[File]) -> list[str]:
    """Write all files aside, check each with its product's checker, and copy them beside their places."""
    if not files:
        return []
    staged = {file: f"$stage/{shlex.quote(name)}" for file, name in zip(files, _names(files), strict=True)}
    beside = shlex.join(f"{file.path}.weblab" for file in files)
    clean = f'rm -rf "$stage" {beside}'
    folders = shlex.join(dict.fromkeys(dirname(file.path) for file in files))
    return [
        *("stage=$(mktemp -d)", f"trap {shlex.quote(clean)} EXIT", "chmod 755 $stage"),
        f"base64 -d <<'END' | tar -x -m -f - -C $stage\n{_archive(files)}\nEND",
        *_rights(staged),
        *_checks(staged),
        *(step("files beside their places"), f"mkdir -p {folders}"),
        *(f"cp -p {path} {shlex.quote(file.path)}.weblab" for file, path in staged.items()),
    ]


def place(files: Sequence[File]) -> list[str]:
    """Move each file from beside its place into it, and write all to the disk: a loss of power must not undo it."""
    paths = [shlex.quote(file.path) for file in files]
    folders = dict.fromkeys(shlex.quote(dirname(file.path)) for file in files)
    moves = [f"mv -T {path}.weblab {path}" for path in paths]
    return [*moves, f"sync {' '.join([*paths, *folders])}"] if files else []


def _names(files: Sequence[File]) -> list[str]:
    """The files' names aside: a checker that refuses one says which."""
    return [f"{number}-{basename(file.path)}" for number, file in enumerate(files)]


def _archive(files: Sequence[File]) -> str:
    """All files in one: to start a program takes an emulated node longer than to write a file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, file in zip(_names(files), files, strict=True):
            content, entry = file.text.encode(), tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), OWNER_ONLY
            archive.addfile(entry, io.BytesIO(content))
    return base64.b64encode(packed.getvalue()).decode()


def _rights(staged: Mapping[File, str]) -> list[str]:
    """Owners, then modes: until both are right, nobody but root reads a file."""
    words: dict[str, list[str]] = {}
    for command in ("chown {0.owner}", "chmod {0.mode}"):
        for file, path in staged.items():
            words.setdefault(command.format(file), []).append(path)
    return [f"{command} {' '.join(paths)}" for command, paths in words.items()]


def _checks(staged: Mapping[File, str]) -> list[str]:
    """Each checker; one that takes several files is started once for all of its own."""
    checks: dict[str, list[File]] = {}
    for file in (it for it in staged if it.check):
        checks.setdefault(file.check.replace("%s", staged[file]), []).append(file)
    lines: list[str] = []
    for check, files in checks.items():
        lines.append(step(f"check of {', '.join(file.path for file in files)}"))
        lines.append(check.replace("%*", " ".join(staged[file] for file in files)))
    return lines
