"""Make it so: what a node should have, asked in one round trip and changed in one more."""

import base64
import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab.errors import CommandFailed
from lab.machine import Machine

PROBE_TIMEOUT_S = 60.0
APPLY_TIMEOUT_S = 900.0
MARK = "=weblab="


@dataclass(frozen=True)
class File:
    """A file as it should be; `check` is its product's own checker, with %s for the staged path."""

    path: str
    text: str
    mode: str = "644"
    owner: str = "root:root"
    check: str = ""


@dataclass(frozen=True)
class Unit:
    """A systemd unit that runs and is enabled; `on_change` runs when one of `watches` changed."""

    name: str
    watches: tuple[str, ...] = ()
    on_change: str = ""


@dataclass(frozen=True)
class Command:
    """Any other state: `ask` exits 0 when it holds, `do` makes it hold (both bash)."""

    name: str
    ask: str
    do: str


@dataclass(frozen=True)
class Desired:
    """Everything a node should have; `questions` are bash whose output comes back with the probe."""

    packages: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    units: tuple[Unit, ...] = ()
    commands: tuple[Command, ...] = ()
    questions: Mapping[str, str] = field(default_factory=dict)

    def __add__(self, other: "Desired") -> "Desired":
        return Desired(
            self.packages + other.packages,
            self.files + other.files,
            self.units + other.units,
            self.commands + other.commands,
            {**self.questions, **other.questions},
        )


@dataclass(frozen=True)
class Found:
    """What the probe saw: package names, files as 'sha256 mode owner', unit states, exit codes, answers."""

    packages: frozenset[str]
    files: Mapping[str, str]
    units: Mapping[str, str]
    commands: Mapping[str, int]
    answers: Mapping[str, str]


@dataclass(frozen=True)
class Difference:
    """What is not as desired, in the order it will be changed."""

    packages: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    reactions: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()
    commands: tuple[Command, ...] = ()

    def __str__(self) -> str:
        words = [f"package {name}" for name in self.packages]
        words += [f"file {file.path}" for file in self.files]
        words += list(self.reactions)
        words += [f"start {unit}" for unit in self.starts]
        words += [command.name for command in self.commands]
        return ", ".join(words)

    def __bool__(self) -> bool:
        return bool(self.packages or self.files or self.commands or self.starts or self.reactions)


def ask(machine: Machine, desired: Desired) -> Found:
    """Ask a node about all that is desired of it: one round trip."""
    answer = machine.script(probe_script(desired), timeout=PROBE_TIMEOUT_S, title="asks what is there")
    return read_probe(answer.stdout)


def compare(desired: Desired, found: Found) -> Difference:
    """What must change, as data; touches no host."""
    files = tuple(file for file in desired.files if found.files.get(file.path) != fingerprint(file))
    changed = {file.path for file in files}
    starts = tuple(unit.name for unit in desired.units if found.units.get(unit.name) != "active enabled")
    reactions = dict.fromkeys(
        unit.on_change
        for unit in desired.units
        if unit.on_change and unit.name not in starts and changed & set(unit.watches)
    )
    return Difference(
        packages=tuple(name for name in desired.packages if name not in found.packages),
        files=files,
        commands=tuple(it for it in desired.commands if found.commands.get(it.name) != 0),
        starts=starts,
        reactions=tuple(reactions),
    )


def apply(machine: Machine, difference: Difference) -> None:
    """Change what differs: one round trip; a file that its checker refuses leaves everything as it was.

    Raises CommandFailed with the step that failed and what it printed.
    """
    try:
        machine.script(apply_script(difference), timeout=APPLY_TIMEOUT_S, title=f"changes: {str(difference)[:90]}")
    except CommandFailed as error:
        error.hint = "correct the cause and run it again: invoke lab.provision"
        raise


def fingerprint(file: File) -> str:
    """How the probe reports a file that is as desired."""
    return f"{hashlib.sha256(file.text.encode()).hexdigest()} {file.mode} {file.owner}"


def probe_script(desired: Desired) -> str:
    """Bash that reports, section by section, all that `desired` is compared with."""
    lines = ["exec 2>/dev/null", f"echo {MARK} packages"]
    if desired.packages:
        names = shlex.join(desired.packages)
        lines.append(rf"dpkg-query -W -f '${{db:Status-Abbrev}} ${{Package}}\n' {names}")
    if desired.files:
        paths = shlex.join(file.path for file in desired.files)
        lines += [f"echo {MARK} sums", f"sha256sum {paths}", f"echo {MARK} modes", f"stat -c '%a %U:%G %n' {paths}"]
    lines.append(f"echo {MARK} units")
    if desired.units:
        names = shlex.join(unit.name for unit in desired.units)
        lines.append(f"systemctl show -p Names -p ActiveState -p UnitFileState {names}")
    for command in desired.commands:
        lines.append(f"( {command.ask}\n) >/dev/null </dev/null; echo {MARK} command $? {shlex.quote(command.name)}")
    for name, question in desired.questions.items():
        lines += [f"echo {MARK} answer {shlex.quote(name)}", f"( {question}\n) </dev/null"]
    return "\n".join([*lines, "exit 0"])


def read_probe(output: str) -> Found:
    """The probe's report as data."""
    sections: dict[str, list[str]] = {}
    commands: dict[str, int] = {}
    lines: list[str] = []
    for line in output.splitlines():
        if line.startswith(f"{MARK} command "):
            code, name = line.removeprefix(f"{MARK} command ").split(" ", 1)
            commands[name] = int(code)
        elif line.startswith(f"{MARK} "):
            lines = sections.setdefault(line.removeprefix(f"{MARK} "), [])
        else:
            lines.append(line)
    answers = {k.removeprefix("answer "): "\n".join(v) for k, v in sections.items() if k.startswith("answer ")}
    packages = frozenset(line.split()[-1] for line in sections.get("packages", ()) if line.startswith("ii"))
    files = _files(sections.get("sums", ()), sections.get("modes", ()))
    return Found(packages, files, _units(sections.get("units", ())), commands, answers)


def _files(sums: Sequence[str], modes: Sequence[str]) -> dict[str, str]:
    of = {path: digest for digest, path in (line.split("  ", 1) for line in sums)}
    rights = {path: f"{mode} {owner}" for mode, owner, path in (line.split(" ", 2) for line in modes)}
    return {path: f"{digest} {rights[path]}" for path, digest in of.items() if path in rights}


def _units(lines: Sequence[str]) -> dict[str, str]:
    units: dict[str, str] = {}
    for block in "\n".join(lines).split("\n\n"):
        it = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        for name in it.get("Names", "").split():
            units[name] = f"{it['ActiveState']} {it['UnitFileState']}"
    return units


def apply_script(difference: Difference) -> str:
    """Bash that makes the changes, in order, and stops at the first that fails."""
    lines = ["set -e", "export DEBIAN_FRONTEND=noninteractive"]
    lines += _install(difference.packages)
    lines += _stage(difference.files)
    for reaction in difference.reactions:
        lines += [_step(reaction), f"timeout 120 {reaction}"]
    for unit in difference.starts:
        lines += [_step(f"start {unit}"), f"timeout 120 systemctl enable --now {shlex.quote(unit)}"]
    for command in difference.commands:
        lines += [_step(command.name), command.do]
    return "\n".join([*lines, ""])


def _step(name: str) -> str:
    return f"echo {shlex.quote('step: ' + name)}"


def _install(packages: Sequence[str]) -> list[str]:
    if not packages:
        return []
    names = shlex.join(packages)
    install = f"apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends install {names}"
    return [
        _step(f"install {names}"),
        # services start when their configuration is in place, not with the package's own
        "printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d",
        "trap 'rm -f /usr/sbin/policy-rc.d' EXIT",
        f"{install} || {{ apt-get -q -o DPkg::Lock::Timeout=300 update && {install}; }}",
        "rm -f /usr/sbin/policy-rc.d; trap - EXIT",
    ]


def _stage(files: Sequence[File]) -> list[str]:
    """Write all files aside, check each with its product's checker, and only then move them in place."""
    if not files:
        return []
    lines = ["stage=$(mktemp -d)", "trap 'rm -rf $stage' EXIT", "chmod 755 $stage"]
    moves = []
    for number, file in enumerate(files):
        staged = f"$stage/{number}"
        content = base64.b64encode(file.text.encode()).decode()
        lines += [f"( umask 077; base64 -d > {staged} ) <<'END'\n{content}\nEND"]
        lines += [f"chown {file.owner} {staged}", f"chmod {file.mode} {staged}"]
        if file.check:
            lines += [_step(f"check of {file.path}"), file.check.replace("%s", staged)]
        target = shlex.quote(file.path)
        moves += [
            f'mkdir -p "$(dirname {target})"',
            f"cp -p {staged} {target}.weblab",
            f"mv {target}.weblab {target}",
        ]
    return [*lines, _step("files in place"), *moves]
