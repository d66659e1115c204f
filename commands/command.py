"""What every command of the lab is: errors become a message and an exit code, changes hold the lock."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from invoke.exceptions import Exit
from invoke.tasks import task

from lab import progress, topology
from lab.errors import NO_ROOM, NOT_YOURS, LabError, explained
from lab.faults import ledger
from lab.nodes import vm_power
from lab.operations import snapshots
from lab.state import choices, lock

AGAIN = "run the command again to complete it"


def command(
    *, changes: bool, ends_restore: bool = False, interrupted: str = AGAIN, **options: Any
) -> Callable[[Callable[..., Any]], Any]:
    """A task whose errors become a message and an exit code; a changing one holds the lab's lock.

    `ends_restore`: it may run where a restore ended half-way. `interrupted`: what to do after Ctrl-C, if it changes
    anything.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            try:
                if not changes:
                    return function(*args, **kwargs)
                with lock.held() as alone:
                    if alone:
                        choices.of_the_user()
                        if not ends_restore:
                            snapshots.must_be_back()
                    return function(*args, **kwargs)
            except LabError as error:
                raise Exit(str(error), code=error.exit_code) from error
            except OSError as error:
                if error.errno not in (*NO_ROOM, *NOT_YOURS):
                    raise
                raise Exit(str(explained(error)), code=explained(error).exit_code) from error
            except KeyboardInterrupt:
                parts = ("interrupted", progress.interrupted(), _standing(interrupted if changes else ""))
                raise Exit("\n" + "; ".join(filter(None, parts)), code=130) from None

        return task(run, **options)

    return decorate


def _standing(then: str = "") -> str:
    """What stays as it is: machines, and faults that do not end by themselves; `then` is what to do."""
    try:
        states = vm_power.states(topology.load())
        active = ", ".join(str(it["id"]) for it in ledger.entries())
    except LabError as error:
        return error.what
    machines = ", ".join(f"{name} is {state}" for name, state in states.items())
    faults = f"; active: {active} (undo: invoke fault.heal)" if active else ""
    return "; ".join(filter(None, (f"{machines}{faults}", then)))


def say(text: str) -> None:
    """Print a command's answer; what a terminal of another alphabet can't show is a question mark there."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()
