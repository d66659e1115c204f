"""Two databases as doubles: what they are told is noted in one list, and changes who is open."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fabfile.switch import Roles
from lab.databases import Database
from lab.errors import CommandFailed, Unreachable
from lab.machine import Answer
from lab.topology import Node
from tests.unit.pairs import OPEN, REPLICA, WEB1, WEB2


@dataclass
class Double:
    """A server: `state` is None while it does not answer; `fails` maps a title's beginning to what goes wrong.

    `cut` does so too, but the server does what it was told: only nobody hears of it.
    """

    node: Node
    state: Database | None
    notes: list[str]
    fails: dict[str, BaseException] = field(default_factory=dict)
    cut: dict[str, BaseException] = field(default_factory=dict)
    scripts: list[str] = field(default_factory=list)

    def ready(self, text: str, *, title: str, **_: object) -> str:
        """A shell that waits."""
        self.scripts.append(text)
        title = title.removeprefix("MySQL's client ")
        self._note(title)
        _raise(self.cut, title)
        return title

    def script(self, text: str, *, title: str, **_: object) -> Answer:
        """Note it, and do what the title says."""
        self.scripts.append(text)
        self._note(title)
        if self.state:
            self.state = replace(self.state, **self._change(title, self.state))
        _raise(self.cut, title)
        return Answer(0, self.state.gtid_executed if self.state else "", "")

    def close(self) -> None:
        """The connection is dropped."""

    def _note(self, title: str) -> None:
        self.notes.append(f"{self.node.name} {title}")
        _raise(self.fails, title)

    def _change(self, title: str, state: Database) -> dict[str, Any]:
        alone: dict[str, Any] = {"source": "", "receiving": False, "applying": False}
        opened: dict[str, Any] = {"writable": True, **alone}
        source = str((WEB2 if self.node is WEB1 else WEB1).ip)
        follows: dict[str, Any] = {"source": source, "receiving": True, "applying": True}
        return {
            "closes": {"writable": False},
            "opens": opened,
            "is opened again": opened,
            "listens to nobody": alone,
            "gives up the change of roles that was interrupted": alone,
            "follows web2": follows,
            "replicates from web2": follows,
        }.get(title, {})


def _raise(errors: dict[str, BaseException], title: str) -> None:
    for beginning, error in errors.items():
        if title.startswith(beginning):
            raise error


@dataclass
class Two:
    """web1 and web2, and what they were told in order."""

    web1: Double
    web2: Double
    notes: list[str]

    @property
    def roles(self) -> Roles:
        """web2 is to become primary."""
        node: Any = self.web2
        other: Any = self.web1
        return Roles(node, other, "password", "durable")

    def asked(self, doors: Sequence[Any]) -> dict[str, Database | None]:
        """In the place of facts.databases_of."""
        return {door.node.name: door.state for door in doors}

    def writable(self) -> list[str]:
        """Who takes writes now."""
        return [it.node.name for it in (self.web1, self.web2) if it.state and it.state.writable]


def two(web1: Database | None = OPEN, web2: Database | None = REPLICA) -> Two:
    """A healthy pair, or another one."""
    notes: list[str] = []
    return Two(Double(WEB1, web1, notes), Double(WEB2, web2, notes), notes)


def failed(code: int = 4) -> CommandFailed:
    """A script that ended with an exit code."""
    return CommandFailed("web2", "opens", code, "it has not executed all that it should")


GONE = Unreachable("web2: ssh failed")
Change = Callable[[Two], None]
