"""Every error of the lab: what happened, the evidence, what to do next, and the exit code."""

from collections.abc import Collection, Iterable
from difflib import SequenceMatcher
from errno import EACCES, EDQUOT, ENOSPC, EPERM, EROFS
from itertools import takewhile

LAST_LINES = 10
NO_ROOM = (ENOSPC, EDQUOT)
NOT_YOURS = (EACCES, EPERM, EROFS)
FEW = 8
NEAR, AS_NEAR = 0.6, 0.02  # how alike two names are that may be confused; how much the names that are shown may differ
SHOWN = 3


def did_you_mean(word: object, known: Collection[str], all_of_them: str = "") -> str:
    """What to say about an unknown name: the names that look like it, or all names.

    `all_of_them`: the command that lists all names, for names of which there are many.
    """
    near = like(word, known)
    if near:
        return f"did you mean {' or '.join(near)}?" + (f" (all: {all_of_them})" if all_of_them else "")
    return f"see all: {all_of_them}" if all_of_them and len(known) > FEW else f"one of: {', '.join(known)}"


def like(word: object, known: Collection[str]) -> list[str]:
    """The known names that look most like a word, the likeliest first; none where nothing does."""
    alike = {name: _alike(str(word), name) for name in known}
    least = max([NEAR, *(it - AS_NEAR for it in alike.values())])
    return sorted((name for name, it in alike.items() if it >= least), key=lambda name: -alike[name])[:SHOWN]


def _alike(word: str, name: str) -> float:
    """From 0 to 1; of names that differ as much, the one that begins like the word is more alike."""
    word, name = (it.lower().replace("_", "-").strip("-") for it in (word, name))
    if word in (name, name.rpartition(".")[2]):
        return 1.0
    ratio = SequenceMatcher(None, word, name).ratio()
    begins = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(word, name, strict=False)))
    return ratio + (1 - ratio) * begins / len(word) / 10 if word else ratio


class LabError(Exception):
    """Anything the lab can explain; `exit_code` is the documented one of the command."""

    exit_code = 3

    def __init__(self, what: str, *, evidence: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.evidence = evidence
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.what]
        lines += [f"    {line}" for line in self.evidence.splitlines()]
        if self.hint:
            lines.append(f"next: {self.hint}")
        return "\n".join(lines)


class CheckFailed(LabError):
    """A check said no, or the thing asked for is not there yet."""

    exit_code = 1


class BadInput(LabError):
    """Wrong input or configuration; names every mistake at once."""

    exit_code = 2

    @classmethod
    def listing(cls, what: str, mistakes: Iterable[str], hint: str = "") -> "BadInput":
        """Build the error that shows each of `mistakes` on a line of its own; a single one follows `what`."""
        found = list(mistakes)
        if len(found) == 1:
            return cls(f"{what}: {found[0]}", hint=hint)
        return cls(what, evidence="\n".join(f"- {mistake}" for mistake in found), hint=hint)


class InfrastructureBroken(LabError):
    """The hosting machine, the hypervisor or the way to a node is broken."""


class LabNotUp(LabError):
    """The command needs a running lab and there is none."""


class Locked(LabError):
    """Another command is changing the lab; the message names it."""

    exit_code = 7


class Unreachable(InfrastructureBroken):
    """A node does not answer on ssh."""


class TimedOut(InfrastructureBroken):
    """A named condition did not come true before its deadline."""


class GivenUp(InfrastructureBroken):
    """A command was ended before it was done, because whoever started it does not want it any more."""


class CommandFailed(InfrastructureBroken):
    """A command ended with an exit code that its caller did not allow."""

    def __init__(self, where: str, command: str, exit_code: int, output: str, hint: str = "") -> None:
        last = output.strip().splitlines()[-LAST_LINES:]
        evidence = "\n".join([f"{where}$ {command}", f"exit {exit_code}", *last])
        super().__init__(f"{where}: a command failed", evidence=evidence, hint=hint)
        self.command_exit_code = exit_code


def explained(error: Exception) -> LabError:
    """Any error as one of the lab's: a full disk of this machine with what to do next, a mistake with its kind."""
    if isinstance(error, LabError):
        return error
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return InfrastructureBroken(f"no room on this machine's disk: {error.filename or error}", hint="df -h")
    if isinstance(error, OSError) and error.errno in NOT_YOURS:
        what = f"this user may not read or write {error.filename or 'a file'}: {error.strerror}"
        return InfrastructureBroken(what, hint=f"see whose it is: ls -ld {error.filename or '.lab runs'}")
    return InfrastructureBroken(f"{type(error).__name__}: {error}")
