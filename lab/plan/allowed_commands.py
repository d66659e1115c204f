"""The commands that an experiment may give, and what each takes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import get_args

from lab.durability import Durability
from lab.errors import did_you_mean
from lab.state.choices import Algorithm, Mode, Persistence
from lab.topology import Lab

SERVER, NODE, VALUE, WEB = "a server with a database", "a node", "a durability", "a web server"
ALGORITHM, MODE, PERSISTENCE = "an algorithm", "a mode", "a persistence"


@dataclass(frozen=True)
class Command:
    """What its one word is, '' where it takes none; and its options, each with what follows it, '' if nothing does."""

    word: str = ""
    options: Mapping[str, str] = field(default_factory=dict, hash=False)


# An experiment changes roles or the balancer, or converges; it never starts, stops or removes the lab, nor replaces the
# site's data.
COMMANDS: Mapping[str, Command] = {
    "db.promote": Command(SERVER, {"--accept-data-loss": "", "--stay-durable": "", "--salvage": ""}),
    "db.rejoin": Command(SERVER),
    "db.durability": Command(VALUE),
    "db.status": Command(),
    "lb.algorithm": Command(ALGORITHM),
    "lb.drain": Command(WEB, {"--force": ""}),
    "lb.mode": Command(MODE),
    "lb.persistence": Command(PERSISTENCE),
    "lb.ready": Command(WEB),
    "lab.provision": Command(options={"--node": NODE}),
}


def mistake(lab: Lab, text: str) -> str:
    """The mistakes in the words of a command; '' if there is none."""
    name, *words = text.split() or [""]
    if name == "invoke":
        return f"leave 'invoke' out: {' '.join(words)}"
    if name not in COMMANDS:
        return f"{name!r} is not a command for an experiment; {did_you_mean(name, COMMANDS)}"
    return "; ".join(_mistakes(lab, name, words))


def left_drained(commands: Iterable[str]) -> list[str]:
    """The servers that stay drained after these commands: at the end of an experiment all must serve."""
    words = (text.split() for text in commands)
    last = {it[1]: it[0] for it in words if len(it) > 1 and it[0] in ("lb.drain", "lb.ready")}
    return [name for name, command in last.items() if command == "lb.drain"]


def _mistakes(lab: Lab, name: str, words: list[str]) -> Iterator[str]:
    wanted, plain, left = COMMANDS[name], list[str](), iter(words)
    for word in left:
        if not word.startswith("-"):
            plain.append(word)
        elif word not in wanted.options:
            yield f"{word!r} is not an option of {name}; {_which(word, wanted)}"
        elif wanted.options[word]:
            yield from _value(lab, word, wanted.options[word], next(left, ""))
    if wanted.word:
        yield from _value(lab, name, wanted.word, plain.pop(0) if plain else "")
    if plain:
        yield f"{plain[0]!r} is too much: {name} takes {wanted.word or 'nothing but options'}"


def _which(word: str, command: Command) -> str:
    return did_you_mean(word, command.options) if command.options else "it has none"


def _value(lab: Lab, before: str, what: str, word: str) -> Iterator[str]:
    known = _known(lab)[what]
    if not word:
        yield f"{before} needs {what}: one of {', '.join(known)}"
    elif word not in known:
        yield f"{word!r} is not {what}; {did_you_mean(word, known)}"


def _known(lab: Lab) -> Mapping[str, tuple[str, ...]]:
    roles = {SERVER: "database", WEB: "web"}
    choices = {VALUE: tuple(Durability), ALGORITHM: get_args(Algorithm), MODE: get_args(Mode)}
    return {
        NODE: tuple(node.name for node in lab.nodes),
        PERSISTENCE: get_args(Persistence),
        **{what: tuple(node.name for node in lab.having(role)) for what, role in roles.items()},
        **choices,
    }
