"""What a node should have, what was found there, and what differs: plain data."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class File:
    """A file as it should be; `check` is its product's own checker, with %s for the staged path."""

    path: str
    text: str
    mode: str = "644"
    owner: str = "root:root"
    check: str = ""

    @property
    def secret(self) -> bool:
        """Whether not everybody on the node may read it: it holds passwords."""
        return not int(self.mode, 8) & 0o004


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
    """What the probe saw: package names, files as 'sha256 mode owner', unit states, exit codes, answers.

    `pending` are the units that still have to react to files written by an apply that did not end.
    """

    packages: frozenset[str]
    files: Mapping[str, str]
    units: Mapping[str, str]
    commands: Mapping[str, int]
    answers: Mapping[str, str]
    pending: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Difference:
    """What is not as desired, in the order it will be changed; `reactions` are the units that react."""

    packages: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    reactions: tuple[Unit, ...] = ()
    starts: tuple[str, ...] = ()
    commands: tuple[Command, ...] = ()

    def __str__(self) -> str:
        words = [f"package {name}" for name in self.packages]
        words += [f"file {file.path}" for file in self.files]
        words += dict.fromkeys(unit.on_change for unit in self.reactions)
        words += [f"start {unit}" for unit in self.starts]
        words += [command.name for command in self.commands]
        return ", ".join(words)

    def __bool__(self) -> bool:
        return bool(self.packages or self.files or self.commands or self.starts or self.reactions)


def fingerprint(file: File) -> str:
    """How the probe reports a file that is as desired."""
    return f"{hashlib.sha256(file.text.encode()).hexdigest()} {file.mode} {file.owner}"
