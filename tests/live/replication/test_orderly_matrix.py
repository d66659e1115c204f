"""No acknowledged note is lost: each normal end of the primary while the replica does not receive, and the way out."""

import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product

import pytest

from lab import progress
from lab.errors import LabError
from lab.nodes import lifecycle, site, vm_power
from lab.nodes.ssh import Machine
from lab.topology import Lab
from lab.wait import until
from tests.live.conftest import PROMOTE_S, invoke, must, primary
from tests.live.replication.test_orderly_end import SALVAGE_S, back

pytestmark = [pytest.mark.live, pytest.mark.slow]
ENOUGH, WRITERS = 150, 3
ENDS = ("service-stop web1 --service mysql", "shutdown web1", "power-button web1")
REPLICAS = (
    "replication-stop web2",
    "service-freeze web2 --service mysql",
    "partition web2 --peer web1",
    "power-off web2",
)


class Notes:
    """The result of each note that was sent: token -> status, 0 if no answer came."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.status, self.stopped = lab, dict[str, int](), threading.Event()

    def acknowledged(self) -> set[str]:
        """The notes that were acknowledged to a visitor."""
        return {token for token, status in self.status.items() if status in (200, 201)}

    def write(self) -> None:
        """Leave one note after the other."""
        while not self.stopped.is_set():
            token = secrets.token_hex(8)
            body = json.dumps({"token": token, "body": "is it kept?"})
            try:
                answer = site.fetch(self.lab, "/api/notes", method="POST", body=body, timeout=site.WRITE_S)
                self.status[token] = answer.status
            except LabError:
                self.status[token] = 0
            self.stopped.wait(0.1 if self.status[token] == 201 else 1.5)  # visitors who get no answer try again later


@contextmanager
def writing(lab: Lab) -> Iterator[Notes]:
    """Visitors who write until the end."""
    notes = Notes(lab)
    writers = [threading.Thread(target=notes.write) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        yield notes
    finally:
        notes.stopped.set()
        for writer in writers:
            writer.join()


def held(machine: Machine) -> list[str]:
    """All tokens that a server has."""
    return machine.run("mysql -N -e 'SELECT token FROM site.notes'", timeout=60).stdout.split()


def listens_again(lab: Lab, replica: str) -> None:
    """Heal the fault that keeps the replica from answering; one that only keeps it from receiving stays."""
    if replica.startswith("power-off"):
        vm_power.power_on(lab.node("web2"))
        lifecycle.answering(Machine(lab.node("web2")))
    elif replica.startswith("service-freeze"):
        Machine(lab.node("web2")).run("systemctl kill -s CONT mysql")


@pytest.mark.parametrize(("end", "replica"), list(product(ENDS, REPLICAS)), ids=lambda words: words.split()[0])
def test_nothing_that_was_acknowledged_is_lost(
    roles: Lab, machines: dict[str, Machine], end: str, replica: str
) -> None:
    """The promotion refuses first; with --salvage it ends with an open primary that has every acknowledged note."""
    with writing(roles) as notes:
        until("enough is acknowledged", lambda: len(notes.acknowledged()) >= ENOUGH, 180, every=0.5)
        must("fault.inject", *replica.split())
        must("fault.inject", *end.split(), timeout=PROMOTE_S)
        listens_again(roles, replica)
        until("web2 answers", lambda: "web2: replica" in must("db.status"), 240, every=2)
        refused = invoke("db.promote", "web2", timeout=PROMOTE_S)
        result = invoke("db.promote", "web2", "--salvage", timeout=SALVAGE_S)
        if result.returncode:  # the network is still cut: the error names the command to run first
            assert "invoke fault.heal" in result.stderr, result.stderr
            must("fault.heal", timeout=SALVAGE_S)
            must("db.promote", "web2", "--salvage", timeout=SALVAGE_S)
        assert primary(roles) == "web2"
    must("fault.heal", timeout=SALVAGE_S)
    back(roles)
    assert refused.returncode == 1 and "--salvage" in refused.stderr, refused.stderr
    servers = {name: held(machines[name]) for name in ("web1", "web2")}
    lost = [notes.acknowledged() - set(tokens) for tokens in servers.values()]
    failed = {token for token, status in notes.status.items() if status == 503}
    unexpected = [failed & set(tokens) for tokens in servers.values()]
    twice = [len(tokens) - len(set(tokens)) for tokens in servers.values()]
    counted = f"{len(notes.acknowledged())} of {len(notes.status)} acknowledged"
    progress.say("site", f"{end.split()[0]}, {replica.split()[0]}: {counted}, {len(lost[0] | lost[1])} lost")
    assert lost == unexpected == [set(), set()] and twice == [0, 0]
