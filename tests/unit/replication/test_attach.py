"""A replica that is set to follow a source: if it does not go on, it is repaired once."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from lab.mysql.server_state import Database
from lab.nodes.ssh import Answer
from lab.replication import attach
from lab.topology import Node
from tests.support.pairs import OPEN, REPLICA, U1, WEB1, WEB2


@dataclass
class Double:
    """A connection that keeps what is sent to its node."""

    node: Node = WEB2
    scripts: list[str] = field(default_factory=list)

    def script(self, text: str, **_: object) -> Answer:
        """Keep the script; no script fails."""
        self.scripts.append(text)
        return Answer(0, "", "")


CANT_APPLY, CANT_RECEIVE = replace(REPLICA, applying=False), replace(REPLICA, receiving=False)
FETCHES, RECEIVES = ["fetches"], ["receives"]
LOOKS: dict[str, tuple[Database, Database | None, float, list[str]]] = {
    "it can't apply": (CANT_APPLY, OPEN, 0.0, FETCHES),
    "it goes on": (REPLICA, OPEN, 0.0, []),
    "not yet": (CANT_APPLY, OPEN, 60.0, []),
    "its source does not answer": (CANT_APPLY, None, 0.0, []),
    "its source has less": (CANT_APPLY, replace(OPEN, gtid_executed=f"{U1}:1-49"), 0.0, []),
    "it can't receive": (CANT_RECEIVE, None, 0.0, RECEIVES),
}


@pytest.mark.parametrize(("own", "source", "seconds", "mends"), LOOKS.values(), ids=LOOKS)
def test_a_relay_log_is_given_up_only_where_it_can_not_be_applied_and_its_source_has_all_of_it(
    monkeypatch: pytest.MonkeyPatch, own: Database, source: Database | None, seconds: float, mends: list[str]
) -> None:
    """And once, after some time without change. If only the receiver fails, the relay log stays: the applier runs."""
    monkeypatch.setattr(attach, "RESUMES_S", seconds)
    machine: Any = Double()
    other: Any = Double(WEB1)
    monkeypatch.setattr(attach, "databases_of", lambda machines: {"web1": source, "web2": own})
    resumed = attach.Resumed(machine, other, "secret", resumes=True)
    for _ in range(2):
        resumed.look(own)
    mended_by = ["fetches" if "STOP REPLICA;" in it else "receives" for it in machine.scripts if "SOURCE_HOST" in it]
    assert mended_by == mends
