"""A server loses its power during requests, and works again by itself after its start."""

import json
import secrets
import threading
from collections import Counter

import pytest

from lab.errors import LabError
from lab.nodes import lifecycle, site, vm_power
from lab.nodes.ssh import Machine
from lab.topology import Lab
from lab.wait import pause, until
from tests.live.conftest import wrong

pytestmark = pytest.mark.live
PER_SECOND = 5


class Visitors:
    """Reads the page a few times a second, and counts every answer."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.seen: Counter[str] = Counter()
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._visit)

    def __enter__(self) -> "Visitors":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave.set()
        self._thread.join(30)

    def _visit(self) -> None:
        while not self._leave.wait(1 / PER_SECOND):
            try:
                page = site.fetch(self.lab, "/health")
                self.seen[page.headers.get("x-served-by", "nobody") if page.status == 200 else str(page.status)] += 1
            except LabError as error:
                self.seen[error.evidence] += 1

    def failures(self) -> dict[str, int]:
        """The answers that were not a page of one of the servers."""
        return {who: count for who, count in self.seen.items() if who not in {"web1", "web2"}}


@pytest.mark.slow
def test_a_server_powered_off_under_requests_is_not_missed(healthy: Lab, machines: dict[str, Machine]) -> None:
    """web2 is powered off: no reader sees an error; started again, it serves and replicates by itself."""
    web2 = healthy.node("web2")
    with Visitors(healthy) as visitors:
        until("visitors are served by both", lambda: visitors.seen.keys() >= {"web1", "web2"}, 20)
        vm_power.power_off(web2)
        machines["web2"].close()
        until("HAProxy sees web2 down", lambda: _haproxy(machines, "web2") == "DOWN", 20)
        served = visitors.seen["web1"]
        until("web1 serves alone", lambda: visitors.seen["web1"] > served + 3 * PER_SECOND, 30)
        token = secrets.token_hex(8)
        body = json.dumps({"token": token, "body": "sent while web2 was off"})
        unsure = site.fetch(healthy, "/api/notes", method="POST", body=body, timeout=20)
        assert unsure.status == 504, "durable: no write is acknowledged while the replica is gone"
        vm_power.power_on(web2)
        lifecycle.answering(machines["web2"])
        until("the lab is healthy", lambda: not wrong(healthy), 120, every=2)
        before = visitors.seen["web2"]
        until("web2 serves again", lambda: visitors.seen["web2"] > before, 30)
        pause(1)
    assert visitors.failures() == {}, visitors.seen
    query = f"mysql -N -e \"SELECT COUNT(*) FROM site.notes WHERE token = '{token}'\""
    assert machines["web2"].run(query).stdout.strip() == "1"


def _haproxy(machines: dict[str, Machine], name: str) -> str:
    from lab.nodes import facts

    servers = facts.ask(machines["lb1"]).servers or []
    return next((it.status for it in servers if it.backend == "web" and it.name == name), "absent").split()[0]
