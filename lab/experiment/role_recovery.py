"""The way back after an experiment: who was primary before is primary again, and the lab is whole."""

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
    """The database that takes writes; TimedOut where none says so. Asked: a look of the observers may come too late."""
    databases = [machine for machine in machines if "database" in machine.node.roles]

    def known() -> str:
        return next((name for name, it in databases_of(databases).items() if it and it.writable), "")

    return until("a database is open for writes", known, KNOWN_S, where="lab", hint="invoke lab.status")


@dataclass
class Turn:
    """Who is primary while a run is under way, and who was so `before`; '' for `wanted` takes them as they are."""

    machines: Sequence[Machine]
    wanted: str
    command: Callable[[str], tuple[int, str]]
    before: str = ""

    @property
    def primary(self) -> str:
        """Who is so in the run."""
        return self.wanted or self.before

    @property
    def turned(self) -> bool:
        """Whether that is another one than before."""
        return self.primary != self.before

    def take(self) -> None:
        """Make `wanted` primary where another one is, in an orderly way; raises CheckFailed where that is refused."""
        self.before = primary(self.machines)
        if self.turned:
            progress.say("lab", f"{self.wanted} is to be primary in this experiment, {self.before} is")
            self._promote(self.wanted)

    def give_back(self) -> None:
        """Who was primary before is so again."""
        if self.turned:
            progress.say("lab", f"{self.before} becomes primary again, as before the experiment")
            self._promote(self.before)

    def _promote(self, name: str) -> None:
        code, output = self.command(f"db.promote {name}")
        if code:
            raise CheckFailed(f"{name} can't be made primary", evidence=output, hint="invoke db.status")


@dataclass
class RoleRecovery:
    """From what the observers saw last; `command` runs a command of the lab, which the timeline tells.

    `primary` is who it was before the run, and is to be again; '' as long as nobody is known.
    """

    latest: Latest
    converge: Callable[[], None]
    command: Callable[[str], tuple[int, str]]
    within_s: float
    primary: str = ""

    def go(self) -> None:
        """Open the primary again where that is certain; wait until the lab is as it was. All faults are healed by then.

        Raises TimedOut where it is not whole in time, CheckFailed where a command says no.
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
        """A command that is no part of the plan."""
        code, output = self.command(words)
        if code:
            raise CheckFailed(f"the lab can't be brought back: {words} ended with {code}", evidence=output)

    def _wait_until_healthy(self) -> None:
        until(
            "the lab is whole",
            lambda: not self.latest.wrong(),
            self.within_s,
            where="lab",
            evidence=lambda: "\n".join(self.latest.wrong()),
            hint="invoke lab.status",
        )
