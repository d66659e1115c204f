"""Restores the roles after an experiment: the former primary becomes primary again, and the lab is healthy."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from lab import progress
from lab.errors import CheckFailed, TimedOut
from lab.experiment.live_state import Latest
from lab.nodes.facts import databases_of
from lab.nodes.ssh import Machine
from lab.wait import until

OPEN_S, KNOWN_S = 5.0, 30.0


def primary(machines: Sequence[Machine]) -> str:
    """The writable database; raises TimedOut if there is none. Asks the databases: observations may be too old."""
    databases = [machine for machine in machines if "database" in machine.node.roles]

    def known() -> str:
        return next((name for name, it in databases_of(databases).items() if it and it.writable), "")

    return until("a database is open for writes", known, KNOWN_S, where="lab", hint="invoke lab.status")


@dataclass
class Turn:
    """Makes `wanted` primary for a run, and the primary of `before` again afterwards; '' for `wanted`: no change."""

    machines: Sequence[Machine]
    wanted: str
    command: Callable[[str], tuple[int, str]]
    before: str = ""

    @property
    def primary(self) -> str:
        """The primary during the run."""
        return self.wanted or self.before

    @property
    def turned(self) -> bool:
        """Whether the run has another primary than before."""
        return self.primary != self.before

    def take(self) -> None:
        """Make `wanted` primary by a planned switch if it is not; raises CheckFailed if that is refused."""
        self.before = primary(self.machines)
        if self.turned:
            progress.say("lab", f"this experiment needs {self.wanted} as primary; it is {self.before} now")
            self._promote(self.wanted)

    def give_back(self) -> None:
        """Make the former primary primary again."""
        if self.turned:
            progress.say("lab", f"{self.before} becomes primary again, as before the experiment")
            self._promote(self.before)

    def _promote(self, name: str) -> None:
        code, output = self.command(f"db.promote {name}")
        if code:
            raise CheckFailed(f"{name} can't be made primary", evidence=output, hint="invoke db.status")


@dataclass
class RoleRecovery:
    """Uses the latest observations; `command` runs a command of the lab and records it on the timeline.

    `primary`: the database that is to be primary at the end; '' while that is not known.
    """

    latest: Latest
    converge: Callable[[], None]
    command: Callable[[str], tuple[int, str]]
    within_s: float
    primary: str = ""

    def go(self) -> None:
        """Restore the roles and wait until the lab is healthy; all faults must be healed before.

        Raises TimedOut if it is not healthy in time, CheckFailed if a command fails.
        """
        closed = f"a database is open for writes within {OPEN_S:.0f} s"
        with suppress(TimedOut):
            until(closed, self.latest.primary, OPEN_S, where="lab")
        promoted = bool(self.primary) and self.latest.primary() not in ("", self.primary)
        if promoted:
            self._must(f"db.rejoin {self.primary}")
        elif not self.latest.primary():
            self.converge()
        self._wait_until_healthy()
        if promoted:
            self._must(f"db.promote {self.primary}")
            self._wait_until_healthy()

    def _must(self, words: str) -> None:
        """Run a command that is not part of the plan; raises CheckFailed if it fails."""
        code, output = self.command(words)
        if code:
            raise CheckFailed(f"the roles can't be restored: {words} ended with {code}", evidence=output)

    def _wait_until_healthy(self) -> None:
        until(
            "the lab is healthy",
            lambda: not self.latest.wrong(),
            self.within_s,
            where="lab",
            evidence=lambda: "\n".join(self.latest.wrong()),
            hint="invoke lab.status",
        )
