"""What a node should have, what was found there, and what differs: plain data."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

# A question whose answer names nodes that this node sends nothing to yet: it changes when they are ready.
NEWCOMERS = "newcomers"


@dataclass(frozen=True)
class File:
    """A file as it should be.

    `check` is its product's own checker, with %s for the staged path, or %* for those of all files with the same one.
    """

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
    """A systemd unit that runs and is enabled; `on_change` runs when one of `watches` changed.

    `waits`: bash that runs `"$@"`, the words of `on_change`, and ends when the unit serves again.
    `in_turn`: it serves nobody meanwhile, so the nodes do it one after the other, after everything else.
    """

    name: str
    watches: tuple[str, ...] = ()
    on_change: str = ""
    waits: str = ""
    in_turn: bool = False


@dataclass(frozen=True)
class Command:
    """Any other state: `ask` exits 0 when it holds, `do` makes it hold (both bash).

    `in_turn`: it serves nobody meanwhile, so the nodes do it one after the other, after everything else.
    """

    name: str
    ask: str
    do: str
    in_turn: bool = False


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

    `pending` are the units that still have to react to files written by an apply that did not end; `stale`: systemd
    has not read a unit's files since they changed.
    """

    packages: frozenset[str]
    files: Mapping[str, str]
    units: Mapping[str, str]
    commands: Mapping[str, int]
    answers: Mapping[str, str]
    pending: frozenset[str] = frozenset()
    stale: bool = False


@dataclass(frozen=True)
class Difference:
    """What is not as desired, in the order it will be changed; `reactions` are the units that react.

    `reload`: systemd reads its units' files again, which restarts none. `later` are the units that react in turn: a
    change of the node only marks them as pending.
    """

    packages: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    reload: bool = False
    reactions: tuple[Unit, ...] = ()
    starts: tuple[str, ...] = ()
    commands: tuple[Command, ...] = ()
    later: tuple[Unit, ...] = ()

    def __str__(self) -> str:
        return ", ".join(self.changes())

    def changes(self) -> list[str]:
        """Each change in words."""
        words = [f"package {name}" for name in self.packages]
        words += [f"file {file.path}" for file in self.files]
        words += ["systemctl daemon-reload"] if self.reload else []
        words += dict.fromkeys(unit.on_change for unit in self.reactions)
        words += [f"start {unit}" for unit in self.starts]
        words += [command.name for command in self.commands]
        words += dict.fromkeys(unit.on_change for unit in self.later)
        return words

    def summary(self) -> str:
        """How many changes of each kind: '14 files, 3 services'."""
        services = {*self.starts, *(unit.name for unit in (*self.reactions, *self.later))}
        kinds = {"package": self.packages, "file": self.files, "service": services, "setting": self.commands}
        counts = [f"{len(found)} {kind}{'s' * (len(found) > 1)}" for kind, found in kinds.items() if found]
        return ", ".join(counts or ["systemd's own settings"])

    def __bool__(self) -> bool:
        changed = self.packages or self.files or self.reload or self.reactions
        return bool(changed or self.starts or self.commands or self.later)


def fingerprint(file: File) -> str:
    """How the probe reports a file that is as desired."""
    return f"{hashlib.sha256(file.text.encode()).hexdigest()} {file.mode} {file.owner}"
