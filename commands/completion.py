"""invoke lab.completion: what a shell needs to complete commands, options and names with TAB."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

from invoke.collection import Collection
from invoke.context import Context
from invoke.main import program
from invoke.parser.context import ParserContext

from commands import box, db, exercise, experiment, fault, lab, lb
from commands.command import command, say
from commands.experiment_list import LESSONS
from lab.durability import Durability
from lab.errors import BadInput, did_you_mean
from lab.exercises import exercise_file
from lab.faults.kinds import KINDS, SERVICES, Kind
from lab.state.choices import Algorithm, Mode, Persistence, ProviderName

GROUPS = (lab, lb, db, fault, experiment, exercise, box)  # the modules whose commands there are
TAB = Path(__file__).with_name("tab")
SHELLS = {"bash": "bash.sh", "zsh": "zsh.zsh"}
NO_NAMES = "-"
# What an option or a word of a command is the name of: by the command's name and its own, or by its own alone.
NAMES = {
    "node": "node",
    "peer": "peer",
    "service": "service",
    "kind": "kind",
    "provider": "provider",
    "box": "box",
    "only": "experiments",
    "lesson": "lesson",
    "experiment.spof only": "node",
    "run": "run",
    "file": "file",
    "shell": "shell",
    "db.durability value": "durability",
    "db.promote node": "node@database",
    "db.rejoin node": "node@database",
    "experiment.compare name": "experiment",
    "experiment.run name": "experiment",
    "exercise.reset name": "exercise",
    "exercise.solve name": "exercise",
    "exercise.hint name": "exercise",
    "exercise.check name": "exercise",
    "exercise.start name": "exercise",
    "lb.algorithm name": "algorithm",
    "lb.mode name": "mode",
    "lb.persistence name": "persistence",
    "lb.weight node": "node@web",
    "lb.drain node": "node@web",
    "lb.ready node": "node@web",
    "lab.restore name": "snapshot",
    "lab.snapshot name": "snapshot",
    " help": "command",
}
VALUES: Mapping[str, Sequence[str]] = {
    "service": list(SERVICES),
    "kind": list(KINDS),
    "durability": list(Durability),
    "algorithm": get_args(Algorithm),
    "mode": get_args(Mode),
    "persistence": get_args(Persistence),
    "provider": get_args(ProviderName),
    "box": ("local", "plain"),
    "lesson": list(LESSONS),
    "shell": list(SHELLS),
    "exercise": exercise_file.names(),
}
INJECT = "fault.inject"
OF_FAULTS = {"service", "peer", *(name for kind in KINDS.values() for name in kind.options)}
OLD_NAMES = set(fault.RENAMED)


@command(changes=False, positional=["shell"], help={"shell": "bash or zsh"})
def completion(c: Context, shell: str) -> None:
    """Make TAB complete commands and names in this terminal: source <(invoke lab.completion bash), or zsh."""
    if shell not in SHELLS:
        what = f"{shell!r} is not a shell that this command knows; {did_you_mean(shell, SHELLS)}"
        raise BadInput(what, hint="source <(invoke lab.completion bash)")
    groups = Collection(*(it.commands for it in GROUPS))
    say(script(shell, groups))


def script(shell: str, groups: Collection) -> str:
    """All that the shell reads: how candidates are found, the tables of this version, and what TAB calls."""
    names = ("candidates.sh", SHELLS[shell])
    found, called = ((TAB / name).read_text(encoding="utf-8") for name in names)
    return "\n".join([found, *_tables(groups), called])


def _tables(groups: Collection) -> Iterator[str]:
    contexts = [program.initial_context, *groups.to_contexts()]
    yield "_weblab_row() {\n    case $1 in"
    for context in contexts:
        yield _row(context.name or "", _words(context), _options(context))
    inject = next(it for it in contexts if it.name == INJECT)
    for kind in KINDS.values():
        yield _row(f"{INJECT} {kind.name}", ["kind", _node(kind)], _options(inject, kind))
    yield "        *) return 1 ;;\n    esac\n}\n\n_weblab_values() {\n    case $1 in"
    for name, values in {**VALUES, "command": sorted(groups.task_names)}.items():
        yield f"        {name}) row_values='{' '.join(values)}' ;;"
    yield "        *) return 0 ;;\n    esac\n}\n"


def _row(name: str, words: Sequence[str], options: Sequence[str]) -> str:
    return f"        '{name}') row_words='{' '.join(words)}' row_options='{' '.join(options)}' ;;"


def _words(context: ParserContext) -> list[str]:
    return [_known(context, it.name) for it in context.positional_args]


def _options(context: ParserContext, kind: Kind | None = None) -> list[str]:
    """The options, each with what its value is a name of; of a kind of fault only those that it takes."""
    found = ["--help"] if context.name else []
    for flag, argument in context.flags.items():
        name = str(argument.name)
        if argument.positional or (context.name == INJECT and not _is_offered(name, kind)):
            continue
        for it in context.names_for(flag):
            found.append(f"{it}={_known(context, name)}" if argument.takes_value else it)
    return found


def _known(context: ParserContext, name: str | None) -> str:
    """What an argument is the name of."""
    return NAMES.get(f"{context.name or ''} {name}") or NAMES.get(str(name), NO_NAMES)


def _is_offered(name: str, kind: Kind | None) -> bool:
    """Whether fault.inject takes an option for a kind of fault, or for any where none is given yet."""
    if kind is None or name not in OF_FAULTS:
        return name not in OLD_NAMES
    return name in kind.options or bool(getattr(kind, name, False))


def _node(kind: Kind) -> str:
    return f"node@{kind.role}" if kind.role else "node"
