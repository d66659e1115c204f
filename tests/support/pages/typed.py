"""What is wrong with a command that a page tells to type: found without a machine, from the commands that there are."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from invoke.exceptions import ParseError
from invoke.parser import Parser
from invoke.parser.context import ParserContext
from invoke.program import Program

import tasks
from commands import fault
from lab import topology
from lab.durability import Durability
from lab.errors import BadInput
from lab.exercises import exercise_file
from lab.faults.kinds import Fault
from lab.plan import experiment_file
from lab.topology import ROOT

LAB = topology.load()
NODES = [node.name for node in LAB.nodes]
DATABASES = [node.name for node in LAB.having("database")]
ENDS = set("();<>|&")
ENVIRONMENT = ".venv/bin/"
# A name that the reader puts in: FILE, or what a variable of the shell holds.
OPEN = re.compile(r"[A-Z]+|.*\$.*")
ANY = "*"
# What a word of a command must be, by command and argument.
KNOWN: Mapping[tuple[str, str], Sequence[str]] = {
    (ANY, "node"): NODES,
    ("db.promote", "node"): DATABASES,
    ("db.rejoin", "node"): DATABASES,
    ("db.durability", "value"): list(Durability),
}


def mistakes(text: str) -> Iterator[str]:
    """All mistakes of a command line: unknown commands, options, nodes, faults, experiments and files."""
    for words in simple_commands(text):
        program = words[0].removeprefix(ENVIRONMENT)
        if program == "invoke":
            yield from _of_invoke(words[1:])
        if program == "locust" and not (ROOT / _after(words, "-f")).is_file():
            yield f"{_after(words, '-f') or 'no file'} is not a file for locust"


def simple_commands(text: str) -> Iterator[list[str]]:
    """The commands of a line of the shell, each with its words."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word[0] not in ENDS:
            words += [word] if words or word != "do" else []
        elif words:
            yield words
            words = []


def _after(words: Sequence[str], option: str) -> Path:
    return Path(words[words.index(option) + 1]) if option in words[:-1] else Path()


def _of_invoke(words: Sequence[str]) -> Iterator[str]:
    if words[:1] == ["--help"]:
        yield from (f"{it} is not a command" for it in words[1:] if it not in tasks.ns.task_names)
        return
    core = ParserContext(args=Program().core_args())
    try:
        found = Parser(contexts=tasks.ns.to_contexts(), initial=core).parse_argv(list(words))
    except ParseError as error:
        yield str(error)
        return
    for context in found[1:]:
        yield from _of_task(str(context.name), _given(context))


def _given(context: ParserContext) -> dict[str, Any]:
    """The arguments that have a value, by the names that the command's function knows them by."""
    given = {str(it.attr_name or it.name): it.value for it in context.args.values()}
    return {name: value for name, value in given.items() if value}


def _of_task(name: str, given: Mapping[str, Any]) -> Iterator[str]:
    for argument, value in given.items():
        known = KNOWN.get((name, argument), KNOWN.get((ANY, argument)))
        if known and value not in known and not OPEN.fullmatch(value):
            yield f"{name}: {argument} {value!r} is none of {', '.join(known)}"
    if name == "fault.inject":
        yield from _of_fault(given)
    if name == "experiment.run" and not OPEN.fullmatch(given["name"]):
        yield from _of_experiment(given["name"])
    if name.startswith("exercise.") and not OPEN.fullmatch(given.get("name", "NAME")):
        yield from _of_exercise(given["name"])


def _of_exercise(name: str) -> Iterator[str]:
    try:
        exercise_file.find(name)
    except BadInput as error:
        yield str(error)


def _of_fault(given: Mapping[str, Any]) -> Iterator[str]:
    try:
        Fault.parse(LAB, {name: value for name, value in fault.with_numbers(given).items() if name != "for_"})
    except (BadInput, ValueError) as error:
        yield str(error)


def _of_experiment(name: str) -> Iterator[str]:
    try:
        experiment_file.find(name, LAB)
    except BadInput as error:
        yield str(error)
