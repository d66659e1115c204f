"""MySQL's configuration changes on both nodes under load: no read fails, and no acknowledged note is lost."""

import json
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest

from fabfile.database import PATIENCE
from lab.errors import LabError
from lab.nodes import site
from lab.nodes.ssh import Machine
from lab.topology import Lab
from lab.wait import until
from tests.live.conftest import changes, must, primary, wrong

pytestmark = [pytest.mark.live, pytest.mark.slow]
CNF = "/etc/mysql/mysql.conf.d/zz-weblab.cnf"
RESTART = "systemctl restart mysql"
PROVISION_S = 600.0
STARTED = "systemctl show -p ActiveEnterTimestampMonotonic --value mysql"


@dataclass
class Load:
    """Readers and a writer; each sends one request after the other, and none is sent again."""

    lab: Lab
    reads: int = 0
    failed: list[str] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    refused: int = 0
    ends: threading.Event = field(default_factory=threading.Event)

    def read(self) -> None:
        """Read until the end."""
        while not self.ends.wait(0.1):
            try:
                status = site.fetch(self.lab).status
                self.failed += [] if status == 200 else [str(status)]
            except LabError as error:
                self.failed.append(str(error))
            self.reads += 1

    def write(self) -> None:
        """Write until the end; 503 and 504 are valid answers."""
        while not self.ends.wait(0.2):
            token = secrets.token_hex(8)
            note = json.dumps({"token": token, "body": "while MySQL restarts"})
            try:
                status = site.fetch(self.lab, "/api/notes", method="POST", body=note, timeout=site.WRITE_S).status
            except LabError:
                status = 0
            self.acknowledged += [token] if status == 201 else []
            self.refused += status != 201


@contextmanager
def load(lab: Lab) -> Iterator[Load]:
    """The load, which runs until the block ends."""
    it = Load(lab)
    threads = [threading.Thread(target=work) for work in (it.read, it.read, it.write)]
    for thread in threads:
        thread.start()
    try:
        until("the load is under way", lambda: it.reads > 10 and it.acknowledged, 30)
        yield it
    finally:
        it.ends.set()
        for thread in threads:
            thread.join()


def has(machine: Machine, tokens: Sequence[str]) -> bool:
    """Whether a database has all these notes."""
    return set(tokens) <= set(machine.run("mysql -N -e 'SELECT token FROM site.notes'").stdout.split())


def started(machines: dict[str, Machine]) -> dict[str, str]:
    """The start time of MySQL on each web server, by its kernel's clock."""
    return {name: machines[name].run(STARTED).stdout for name in ("web1", "web2")}


def test_both_servers_get_a_new_configuration_and_no_read_fails(healthy: Lab, machines: dict[str, Machine]) -> None:
    """A change by hand on both nodes, then a converge under load restarts each MySQL."""
    both = [machines["web1"], machines["web2"]]
    was, before = primary(healthy), started(machines)
    for machine in both:
        machine.run(f"echo '# by hand' >> {CNF}")
    with load(healthy) as it:
        changed = changes(PROVISION_S)
        until("the lab is healthy", lambda: not wrong(healthy), 120, every=2)
        confirmed = len(it.acknowledged)
        until("writes go on", lambda: len(it.acknowledged) > confirmed, 30)
    assert {f"{name}: {what}" for name in ("web1", "web2") for what in (f"file {CNF}", RESTART)} <= set(changed)
    assert all(now != before[name] for name, now in started(machines).items())
    assert it.failed == [], f"{len(it.failed)} of {it.reads} reads"
    assert primary(healthy) == was
    for machine in both:
        until(f"{machine.node.name} has each note", partial(has, machine, it.acknowledged), 30, every=1)
    assert must("lab.provision", timeout=PROVISION_S).strip() == "nothing to change"


@pytest.mark.parametrize("name", ["web1", "web2"])
def test_one_node_alone_fails_no_read_either(healthy: Lab, machines: dict[str, Machine], name: str) -> None:
    """The primary becomes writable again, although only its node is converged."""
    machines[name].run(f"echo '# by hand' >> {CNF}")
    with load(healthy) as it:
        must("lab.provision", "--node", name, timeout=PROVISION_S)
        until("the lab is healthy", lambda: not wrong(healthy), 120, every=2)
    assert it.failed == [], f"{len(it.failed)} of {it.reads} reads"
    assert has(machines[str(primary(healthy))], it.acknowledged)


def test_a_change_of_systemds_file_restarts_no_server(healthy: Lab, machines: dict[str, Machine]) -> None:
    """systemd reads it again, and MySQL keeps running."""
    before = started(machines)
    for name in before:
        machines[name].run(f"echo '# by hand' >> {PATIENCE}")
    expected = [f"{name}: {what}" for name in before for what in (f"file {PATIENCE}", "systemctl daemon-reload")]
    assert changes() == sorted(expected)
    assert started(machines) == before
    need = "systemctl show -p NeedDaemonReload --value mysql"
    assert [machines[name].run(need).stdout.strip() for name in before] == ["no", "no"]
    assert must("lab.provision").strip() == "nothing to change"
