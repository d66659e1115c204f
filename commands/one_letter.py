"""Options of one letter with two dashes, as in `--a algorithm=leastconn`: Invoke knows them with one dash only."""

from typing import Any

from invoke.parser.context import ParserContext

add_arg = ParserContext.add_arg


def both_dashes(self: ParserContext, *args: Any, **kwargs: Any) -> None:
    """Add an option; one whose whole name is a letter gets the second dash as another name of it."""
    add_arg(self, *args, **kwargs)
    for flag in [it for it in self.flags if len(it) == 2]:
        self.flags.alias(f"-{flag}", to=flag)  # type: ignore[no-untyped-call]


def allow() -> None:
    """Allow them in all commands, and show them in their help."""
    ParserContext.add_arg = both_dashes  # type: ignore[method-assign]
