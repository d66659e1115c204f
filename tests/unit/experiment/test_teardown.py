"""The roles after a run that ended early, and the next commands. Databases are doubles."""

from dataclasses import replace

import pytest

from lab import topology
from lab.errors import LabNotUp
from lab.experiment import teardown
from lab.mysql.server_state import Database
from lab.nodes import lifecycle
from lab.nodes.ssh import Machine
from lab.operations import restore
from tests.support.pairs import APART, CLOSED, OPEN, PROMOTED, REPLICA, WEB1, WEB2

LAB = topology.load()
FOLLOWS = replace(CLOSED, source=str(WEB2.ip), receiving=True, applying=True)


@pytest.mark.parametrize(
    ("web1", "web2", "words"),
    [
        (OPEN, REPLICA, []),
        (FOLLOWS, PROMOTED, ["web2 is primary now, web1 was; next: invoke db.promote web1"]),
        (CLOSED, PROMOTED, ["web1 does not replicate", "next: invoke db.rejoin web1"]),
        (CLOSED, APART, ["0 primaries", "next: invoke db.promote"]),
        (None, PROMOTED, ["MySQL on web1 does not answer", "next: invoke db.status"]),
    ],
    ids=["as before", "changed", "half changed", "nobody is open", "not known"],
)
def test_what_commands_left_is_told_with_what_comes_next(
    web1: Database | None, web2: Database | None, words: list[str]
) -> None:
    """lab.up makes no server writable that may not be the primary, and restores no roles: it is not suggested."""
    lines = teardown.roles((WEB1, WEB2), {"web1": web1, "web2": web2}, "web1", "")
    assert len(lines) == bool(words) and all(word in "".join(lines) for word in words)
    assert "lab.up" not in "".join(lines)


@pytest.mark.parametrize(("web1", "hint"), [(CLOSED, "invoke db.status"), (None, "invoke lab.up")])
def test_a_lab_whose_roles_are_not_right_is_looked_at_first(
    web1: Database | None, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an experiment that was interrupted during a promotion; a silent database needs lab.up."""

    def asked(machines: list[Machine]) -> dict[str, Database | None]:
        return {"web1": web1, "web2": PROMOTED}

    monkeypatch.setattr(lifecycle, "machines", lambda lab: [])
    monkeypatch.setattr(restore, "HEALTHY_S", 0.0)
    monkeypatch.setattr(restore, "wrong", lambda lab, machines: ["web1 does not replicate"])
    monkeypatch.setattr(restore, "databases_of", asked)
    with pytest.raises(LabNotUp, match="not healthy") as caught:
        restore.must_be_healthy(LAB)
    assert caught.value.hint == hint
