"""Which commands of a page are run, and which are not: each with the reason, in one list."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from tests.support.pages.page import Command

# Commands that no test runs as they stand on a page, as a regular expression, and why.
NEVER: Mapping[str, str] = {
    r"make .*": "it makes the lab that the tests run on, or it is what runs them",
    r"invoke lab\.destroy.*": "no lab would be left",
    r"invoke lab\.ssh .*": "it waits for somebody who types",
    r"invoke lab\.(snapshot|restore) .*": "the snapshot would stay on the disk: tests/live/nodes takes one",
    r"invoke .* (FILE|NAME|VALUE)": "the reader puts a name of his own in",
    r"invoke experiment\.matrix.*": "it takes hours",
    r"locust (?!.*--headless).*": "it waits for somebody at its page",
    r"locust .*--html .*": "it leaves its files beside the code: tests/live/loadtests runs it elsewhere",
}
# Commands that only the slow tests run, and why.
LONG: Mapping[str, str] = {
    r"invoke experiment\.run .*": "each takes minutes",
    r"invoke experiment\.report .*": "it needs a run",
    r"invoke lab\.(down|reset|up).*": "machines boot or go back: tests/live/nodes does so in any case",
    r"invoke db\.(promote|rejoin) .*": "roles change: tests/live/replication does so in any case",
    r"locust .*-t [2-9]\ds.*": "so long is its load",
}
# What follows a command of a list, whose lines are to choose from, so that the next one finds the lab as it was.
UNDONE_BY: Mapping[str, str] = {
    r"invoke fault\.inject .*": "invoke fault.heal",
    r"invoke lab\.down.*": "invoke lab.up",
    r"invoke lb\.algorithm leastconn": "invoke lb.algorithm roundrobin",
    r"invoke lb\.drain web2": "invoke lb.ready web2",
}


def wanted(commands: Sequence[Command], *, long: bool) -> list[Command]:
    """The commands that are run, `long` ones too. What one of a list changed is undone before the next one."""
    left_out = [*NEVER, *(() if long else LONG)]
    kept = [it for it in commands if not any(re.fullmatch(pattern, it.text) for pattern in left_out)]
    return [it for command in kept for it in _undone(command)]


def _undone(command: Command) -> Iterator[Command]:
    """With what undoes it; a transcript, which shows answers, does so by itself."""
    yield command
    if command.expected is None:
        yield from (replace(command, text=undo) for it, undo in UNDONE_BY.items() if re.fullmatch(it, command.text))
