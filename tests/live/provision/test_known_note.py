"""A token that is sent again: acknowledged with the same note, and in durable mode only if a replica has it."""

import json
import secrets

import pytest

from lab.nodes import site
from lab.nodes.ssh import Machine
from lab.topology import Lab
from lab.wait import until
from tests.live.conftest import must, wrong

pytestmark = pytest.mark.live
STOP, START = "mysql -e 'STOP REPLICA IO_THREAD'", "mysql -e 'START REPLICA IO_THREAD'"


def leave(lab: Lab, token: str) -> int:
    """The status of a POST with this token."""
    body = json.dumps({"token": token, "body": "is it kept?"})
    return site.fetch(lab, "/api/notes", method="POST", body=body, timeout=20).status


def test_a_note_that_no_replica_has_is_not_acknowledged_when_it_is_sent_again(
    healthy: Lab, machines: dict[str, Machine]
) -> None:
    """A change of durability released its commit: semi-sync is ON again, but the note is on the primary only."""
    token = secrets.token_hex(8)
    assert leave(healthy, f"{token}-before") == 201
    machines["web2"].run(STOP)
    try:
        assert leave(healthy, token) == 504
        must("db.durability", "async")
        assert leave(healthy, token) == 200
        must("db.durability", "durable")
        assert leave(healthy, token) in (503, 504)
        assert leave(healthy, f"{token}-before") in (503, 504)
    finally:
        machines["web2"].run(START)
        must("db.durability", "durable")
    until("the lab is healthy", lambda: not wrong(healthy), 60, every=2)
    assert leave(healthy, token) == 200
