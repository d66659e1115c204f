"""A third web server, without a database: it comes and goes by an edit of lab.yml, under load, and no read fails."""

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from lab.errors import TimedOut
from lab.nodes import haproxy, lifecycle, site, vm_power
from lab.nodes.ssh import Machine
from lab.operations import balancing
from lab.topology import Lab
from lab.wait import until
from tests.live.conftest import PROMOTE_S, RESET_S, UP_S, invoke, must, primary, wrong
from tests.live.operations.test_rolling_configuration import load
from tests.support import lab_file
from tests.support.lab_file import use

pytestmark = [pytest.mark.live, pytest.mark.slow]
READ_AT_MOST_S, CHEAP_S = 5.0, 1.0  # the balancer gives up after five seconds


@pytest.fixture
def back(healthy: Lab) -> Iterator[Lab]:
    """The lab of three; lab.yml and the machines are as before after the test, whatever became of it."""
    before = lab_file.FILE.read_bytes()
    try:
        yield healthy
    finally:
        lab_file.FILE.write_bytes(before)
        must("lab.up", timeout=UP_S)
        if wrong(healthy) or primary(healthy) != "web1":
            must("lab.reset", timeout=RESET_S)


@pytest.fixture(scope="module")
def made(lab: Lab) -> Iterator[Lab]:
    """The lab with web3, made once for the tests that do not take it away; then the lab of three again."""
    before = lab_file.FILE.read_bytes()
    try:
        it = use("four")
        must("lab.up", timeout=UP_S)
        yield it
    finally:
        lab_file.FILE.write_bytes(before)
        must("lab.up", timeout=UP_S)


@pytest.fixture
def four(made: Lab) -> Iterator[Lab]:
    """The same, healthy and with web1 as primary, before and after a test."""
    assert wrong(made) == []
    try:
        yield made
    finally:
        use("four")
        with suppress(TimedOut):
            until("the lab is healthy again", lambda: not wrong(made), 60, every=2)
        if wrong(made) or primary(made) != "web1":
            must("lab.reset", timeout=RESET_S)


def machine(lab: Lab, name: str) -> Machine:
    """A connection of its own to a node."""
    return next(it for it in lifecycle.machines(lab) if it.node.name == name)


def served_by(lab: Lab, times: int = 12) -> set[str]:
    """Who serves so many requests."""
    return {site.fetch(lab).headers["x-served-by"] for _ in range(times)}


def read_of(lab: Lab, name: str) -> tuple[int, str, float]:
    """Status, database and seconds of a read that is sent to one server directly."""
    began = time.monotonic()
    answer = site.fetch(lab, "/api/notes", node=lab.node(name))
    return answer.status, answer.headers["x-db"], time.monotonic() - began


def written_by(lab: Lab, name: str) -> tuple[int, str]:
    """Status and database of a note that is sent to one server directly."""
    note = json.dumps({"token": secrets.token_hex(8), "body": "through web3"})
    answer = site.fetch(lab, "/api/notes", method="POST", body=note, node=lab.node(name), timeout=site.WRITE_S)
    return answer.status, answer.headers["x-db"]


def readers(lab: Lab) -> list[str]:
    """The hosts from which the reading account may log in, on each database the same."""
    asked = "SELECT host FROM mysql.user WHERE user = 'site_read' ORDER BY host"
    found = [machine(lab, it.name).run("mysql -N -e %s", asked).stdout.split() for it in lab.having("database")]
    assert all(hosts == found[0] for hosts in found)
    return found[0]


def test_it_comes_and_goes_under_load_and_no_read_fails(back: Lab) -> None:
    """It serves, reads from the replica, and status and reset know it; then its machine and its account are gone."""
    lab = use("four")
    with load(back) as it:
        must("lab.up", timeout=UP_S)
        until("web3 serves", lambda: "web3" in served_by(lab), 30)
    assert it.failed == [], f"{len(it.failed)} of {it.reads} reads while web3 came"
    assert wrong(lab) == [] and must("lab.provision").strip() == "nothing to change"
    assert read_of(lab, "web3")[:2] == (200, "web2") and written_by(lab, "web3") == (201, "web1")
    assert readers(lab) == ["192.168.56.13", "localhost"]
    assert "web3" in must("lab.status")
    must("lab.reset", timeout=RESET_S)
    assert wrong(lab) == [] and served_by(lab) == {"web1", "web2", "web3"}

    use("three")
    text = must("lab.status")
    assert "web3 is still there" in text and "next      invoke lab.up" in text
    with load(back) as it:
        must("lab.up", timeout=UP_S)
        until("web3 is gone", lambda: vm_power.strangers(back) == [], 30)
    assert it.failed == [], f"{len(it.failed)} of {it.reads} reads while web3 went"
    assert wrong(back) == [] and served_by(back) == {"web1", "web2"} and readers(back) == ["localhost"]
    must("lab.reset", timeout=RESET_S)
    assert wrong(back) == []


def test_a_converge_alone_stops_sending_requests_to_it_and_starts_again(four: Lab) -> None:
    """Its machine goes on until lab.up, and status says so; back in lab.yml, a converge is enough."""
    three = use("three")
    with load(three) as it:
        must("lab.provision", timeout=UP_S)
        until("web3 serves nobody", lambda: "web3" not in served_by(three), 30)
        assert vm_power.strangers(three) == ["web3"] and "web3 is still there" in must("lab.status")
        use("four")
        assert "HAProxy does not have web3; next: invoke lab.up" in must("lab.status")
        must("lab.provision", timeout=UP_S)
        until("web3 serves", lambda: "web3" in served_by(four), 30)
    assert it.failed == [], f"{len(it.failed)} of {it.reads} reads"


def test_it_was_off_during_a_promotion(four: Lab) -> None:
    """When it is back it reads from the new replica, and writes to the new primary."""
    must("lab.down", "--node", "web3", timeout=UP_S)
    must("db.promote", "web2", timeout=PROMOTE_S)
    must("lab.up", timeout=UP_S)
    assert wrong(four) == [] and primary(four) == "web2"
    assert read_of(four, "web3")[:2] == (200, "web1") and written_by(four, "web3") == (201, "web2")


def test_roles_that_change_while_it_serves_are_noticed_at_once(four: Lab) -> None:
    """A planned switch under load: no read fails, and the next read comes from the new replica."""
    with load(four) as it:
        must("db.promote", "web2", timeout=PROMOTE_S)
        assert read_of(four, "web3")[:2] == (200, "web1")
        must("db.promote", "web1", timeout=PROMOTE_S)
        assert read_of(four, "web3")[:2] == (200, "web2")
    assert it.failed == [], f"{len(it.failed)} of {it.reads} reads"


@pytest.mark.parametrize("how", [("freeze",), ("power-off",), ("service-freeze", "--service", "mysql")], ids=" ".join)
def test_a_replica_that_does_not_answer_costs_little(four: Lab, how: tuple[str, ...]) -> None:
    """The primary answers instead; after the first reads none waits, and HAProxy never takes web3 out."""
    kind, *options = how
    balancer = balancing.machine_of(four)
    assert read_of(four, "web3")[:2] == (200, "web2")
    must("fault.inject", kind, "web2", *options, timeout=180)
    try:
        found, states = [], set()
        for _ in range(40):
            found.append(read_of(four, "web3"))
            states |= {it.status.split()[0] for it in haproxy.ask(balancer).servers if it.name == "web3"}
        assert {it[:2] for it in found} == {(200, "web1")}
        took = sorted(it[2] for it in found)
        assert took[-1] < READ_AT_MOST_S and took[len(took) * 8 // 10] < CHEAP_S, took
        assert states == {"UP"}
    finally:
        must("fault.heal", timeout=300)
    until("web3 reads from web2 again", lambda: read_of(four, "web3")[1] == "web2", 60, every=1)


def test_a_primary_that_left_lab_yml_is_not_removed(four: Lab) -> None:
    """web2 replicates from it: lab.up refuses, names the way, and removes nothing."""
    before = lab_file.FILE.read_text(encoding="utf-8")
    head, _, rest = before.partition("  web1:\n")
    lab_file.FILE.write_text(head + rest[rest.index("  web2:\n") :], encoding="utf-8")
    try:
        done = invoke("lab.up", timeout=UP_S)
        assert done.returncode == 1 and "db.promote web2" in done.stderr, done.stderr
    finally:
        lab_file.FILE.write_text(before, encoding="utf-8")
    assert wrong(four) == []
