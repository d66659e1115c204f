"""Words of a command that may be left out, as in `invoke exercise.check`: Invoke requires every positional one."""

from typing import Any

from invoke.parser.parser import ParseMachine

GROUP = "exercise."  # an exercise that is not named is the one that was started

complete_context = ParseMachine.complete_context


def left_out(self: ParseMachine) -> None:
    """Give a word that was left out the value '', which its command understands."""
    context: Any = self.context
    if context and (context.name or "").startswith(GROUP):
        for argument in context.missing_positional_args:
            argument.set_value("")
    complete_context(self)


def allow() -> None:
    """Allow it in the commands of GROUP."""
    ParseMachine.complete_context = left_out  # type: ignore[method-assign]
