"""What Invoke can't read on a command line, with what was probably meant; Invoke's own messages name none of it."""

import re
from ast import literal_eval
from collections.abc import Callable, Sequence
from typing import Any

from invoke.collection import Collection
from invoke.exceptions import Exit, ParseError
from invoke.parser import Parser
from invoke.parser.context import ParserContext
from invoke.program import Program

from lab.errors import BadInput, did_you_mean, like

LIST = "invoke --list"
INVOKES_OWN = 1  # its exit code for a command line that it can't read
UNKNOWN = "No idea what {!r} is!"  # Invoke's own words
NO_VALUE, NO_WORDS = r"Flag <Argument: ([\w-]+).* needed value", r"'(.+)' did not receive .*: (.+)"
TAKES_ANY_WORD = "lab.exec"


def check(ns: Collection, program: Program) -> None:
    """Read the command line as Invoke will, and raise Exit with every mistake in it.

    Invoke imports tasks.py before it reads the words of the commands. Another importer has no command line.
    """
    core = getattr(program, "core", None)
    if core is None:
        return
    asked = program.args.help.value
    found, numbers, hint = mistakes(ns, program.initial_context, core.unparsed)
    if isinstance(asked, str) and asked not in ns.task_names:
        found.append(_command(asked, ns))
    if found or numbers:
        code = INVOKES_OWN if found else BadInput.exit_code
        raise Exit(str(_error([*found, *numbers], hint)), code=code)


def _error(found: Sequence[str], hint: str) -> BadInput:
    if len(found) == 1:
        return BadInput(found[0], hint=hint)
    return BadInput.listing("this command line can't be read", found, hint=hint)


def mistakes(ns: Collection, initial: ParserContext, words: Sequence[str]) -> tuple[list[str], list[str], str]:
    """The mistakes in the words of commands: what is unknown or missing, the numbers that are none; and what helps."""
    found: list[str] = []
    numbers: dict[str, str] = {}
    left, hint = list(words), LIST
    while True:
        try:
            Parser(_contexts(ns, numbers), initial).parse_argv(left)
        except ParseError as error:
            found.append(_explained(error, ns))
            name = error.context.name if error.context else None
            hint = f"invoke --help {name}" if name and len(found) == 1 else LIST
            if len(found) < len(words) and _corrected(left, error, ns):
                continue
        return found, list(numbers.values()), hint


def _contexts(ns: Collection, numbers: dict[str, str]) -> list[ParserContext]:
    """What Invoke knows of each command, with values that are looked at; it takes the help texts out of the tasks."""
    helps = {name: dict(ns[name].help) for name in ns.task_names}
    contexts: list[ParserContext] = ns.to_contexts()
    for name, help_ in helps.items():
        ns[name].help = help_
    for context in contexts:
        for flag, argument in context.flags.items():
            if argument.kind is int:
                argument.kind = _number(flag, numbers)
            elif argument.positional and context.name != TAKES_ANY_WORD:
                argument.kind = _word(context)
    return contexts


def _number(flag: str, wrong: dict[str, str]) -> Callable[[str], int]:
    """A reader that writes down what is no number: Invoke would end with a traceback."""

    def read(text: str) -> int:
        try:
            return int(text)
        except ValueError:
            wrong[flag] = f"{flag} must be a whole number (it is {text!r})"
            return 0

    return read


def _word(context: ParserContext) -> Callable[[str], str]:
    """A reader that refuses an unknown option: Invoke would take it for the word that is still missing."""

    def read(text: str) -> str:
        if text.startswith("--"):
            raise ParseError(UNKNOWN.format(text), context)
        return text

    return read


def _explained(error: ParseError, ns: Collection) -> str:
    """A mistake in plain words."""
    text, context = str(error), error.context
    if unknown := _unknown(error):
        if context and context.name and unknown.startswith("-"):
            known = _options(context)
            return f"{unknown} is not an option of {context.name}; {did_you_mean(unknown, known)}"
        if context and context.name and not like(unknown, ns.task_names):
            return f"{unknown!r} is too much: {context.name} takes no more words"
        return _command(unknown, ns)
    if match := re.match(NO_VALUE, text):
        return f"--{match[1]} needs a value"
    if match := re.match(NO_WORDS, text):
        return f"{match[1]} needs {match[2].replace(chr(39), '').upper()}"
    return text


def _command(word: str, ns: Collection) -> str:
    return f"there is no command {word!r}; {did_you_mean(word, list(ns.task_names), LIST)}"


def _options(context: ParserContext) -> list[str]:
    return [name for name in (*context.flags, *context.inverse_flags, "--help") if name.startswith("--")]


def _unknown(error: ParseError) -> str:
    """The word that Invoke does not know; '' for another mistake."""
    before, after = UNKNOWN.split("{!r}")
    text = str(error)
    return str(literal_eval(text[len(before) : -len(after)])) if text.startswith(before) else ""


def _corrected(words: list[str], error: ParseError, ns: Collection) -> bool:
    """Put what was meant in the place of an unknown word, to find the mistakes after it; False where nobody knows."""
    unknown, context = _unknown(error), error.context
    known: Any = _options(context) if context and unknown.startswith("-") else ns.task_names
    meant = like(unknown, known)
    index = next((i for i, word in enumerate(words) if unknown and word.partition("=")[0] == unknown), None)
    if index is None or len(meant) != 1:
        return False
    words[index] = meant[0] + words[index][len(unknown) :]
    return True
