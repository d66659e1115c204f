"""The web tier and the database tier apart: five machines, booted once, and the lab of three made anew after it."""

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from lab.nodes import lifecycle, site
from lab.topology import ROOT, Lab
from lab.wait import until
from tests.live.conftest import PROMOTE_S, REJOIN_S, RESET_S, UP_S, must, primary, wrong
from tests.live.operations.test_rolling_configuration import load
from tests.support import lab_file

pytestmark = [pytest.mark.live, pytest.mark.slow]
FAB = str(Path(sys.executable).with_name("fab"))
SLOW_S = 25.0  # two times a silent database is tried again
OTHER = {"db1": "db2", "db2": "db1"}


@pytest.fixture(scope="module")
def five(lab: Lab) -> Iterator[Lab]:
    """The lab of five machines; after the tests the lab of three is made anew."""
    before = lab_file.FILE.read_bytes()
    try:
        must("lab.destroy", timeout=UP_S)
        made = lab_file.use("five")
        must("lab.up", timeout=UP_S)
        yield made
    finally:
        must("lab.destroy", timeout=UP_S)
        lab_file.FILE.write_bytes(before)
        must("lab.up", timeout=UP_S)


def databases(lab: Lab) -> set[tuple[str, str]]:
    """The databases that each web server reads from and writes to, asked directly."""
    found = set()
    for node in lab.having("web"):
        note = json.dumps({"token": secrets.token_hex(8), "body": "to the database tier"})
        read = site.fetch(lab, "/api/notes", node=node)
        wrote = site.fetch(lab, "/api/notes", method="POST", body=note, node=node, timeout=site.WRITE_S)
        assert (read.status, wrote.status) == (200, 201)
        found.add((read.headers["x-db"], wrote.headers["x-db"]))
    return found


def test_each_machine_runs_what_its_role_says_and_no_more(five: Lab) -> None:
    """No MySQL on a web server, no nginx on a database; a second converge changes nothing."""
    assert wrong(five) == []
    for machine in lifecycle.machines(five):
        active = "systemctl is-active nginx mysql haproxy; true"
        found = machine.run(active, title="asks for services").stdout.split()
        roles = machine.node.roles
        expected = ("web" in roles, "database" in roles, "balancer" in roles)
        assert tuple(it == "active" for it in found) == expected, machine.node.name
    assert must("lab.provision").strip() == "nothing to change"
    for role in ("web", "database"):
        done = subprocess.run([FAB, role], cwd=ROOT, capture_output=True, text=True, timeout=UP_S)
        assert (done.returncode, done.stdout.strip()) == (0, "nothing to change"), done.stderr


def test_the_web_tier_follows_a_promotion_and_no_read_fails(five: Lab) -> None:
    """Reads come from the replica and writes go to the node that is primary."""
    for name in ("db2", "db1"):
        with load(five) as it:
            must("db.promote", name, timeout=PROMOTE_S)
            until(f"writes go to {name}", partial(uses, five, OTHER[name], name), 30, every=1)
        assert it.failed == [], f"{len(it.failed)} of {it.reads} reads"
        assert wrong(five) == []


def test_a_database_that_dies_fails_no_read(five: Lab) -> None:
    """The replica's, then the primary's machine loses its power: the other one answers."""
    for name in ("db2", "db1"):
        with load(five) as it:
            must("fault.inject", "power-off", name, timeout=180)
            until("reads come from the other one", partial(reads_from, five, OTHER[name]), 30, every=1)
            must("fault.heal", timeout=300)
        assert it.failed == [], f"{len(it.failed)} of {it.reads} reads while {name} was off"
        must("lab.provision", timeout=UP_S)
        until("the lab is healthy", lambda: not wrong(five), 120, every=2)
        assert primary(five) == "db1"


@pytest.mark.parametrize("delay_ms", ["400", "800"])
def test_a_slow_replica_takes_no_web_server_out(five: Lab, delay_ms: str) -> None:
    """Five delays are more than a health check waits; the next check asks the primary."""
    with load(five) as it:
        must("fault.inject", "slow", "db2", "--delay-ms", delay_ms, timeout=180)
        went: set[str] = set()
        ends = time.monotonic() + SLOW_S
        while time.monotonic() < ends:
            states = {server["status"] for server in json.loads(must("lb.status", "--json"))["servers"]}
            went |= {state for state in states if state.startswith("DOWN")}
        must("fault.heal", timeout=180)
        until("reads come from the replica", partial(reads_from, five, "db2"), 30, every=1)
    assert (went, it.failed) == (set(), []), f"of {it.reads} reads"


def test_a_replica_that_is_filled_anew_fails_no_read(five: Lab) -> None:
    """It has a transaction of its own, so a rejoin copies all data: meanwhile reads come from the primary."""
    replica = next(it for it in lifecycle.machines(five) if it.node.name == "db2")
    statement = "SET GLOBAL super_read_only = OFF; CREATE DATABASE by_hand; SET GLOBAL super_read_only = ON"
    replica.run("mysql -e %s", statement)
    with load(five) as it:
        must("db.rejoin", "db2", "--discard", timeout=REJOIN_S)
        until("reads come from the replica", partial(reads_from, five, "db2"), 30, every=1)
    assert it.failed == [], f"{len(it.failed)} of {it.reads} reads"
    assert wrong(five) == []


def uses(lab: Lab, reads: str, writes: str) -> bool:
    """Whether each web server reads from the one database and writes to the other."""
    return databases(lab) == {(reads, writes)}


def reads_from(lab: Lab, name: str) -> bool:
    """Whether that database answers the reads of all web servers."""
    return {site.fetch(lab, "/api/notes", node=node).headers["x-db"] for node in lab.having("web")} == {name}


def test_experiments_and_reset_know_these_machines(five: Lab) -> None:
    """What fits them runs, what does not is counted; the clean snapshot is of five."""
    assert "more are for other nodes" in must("experiment.list")
    must("experiment.run", "control", timeout=900)
    must("lab.reset", timeout=RESET_S)
    assert wrong(five) == [] and databases(five) == {("db2", "db1")}
