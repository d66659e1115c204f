"""Bad days: what a student or an instructor meets, and how the lab says what to do."""

import re
import secrets
import time
from pathlib import Path

import pytest

from lab.mysql.server_state import Database
from lab.nodes.facts import databases_of
from lab.nodes.ssh import Machine
from lab.state import credentials
from lab.topology import Lab
from lab.wait import until
from tests.live.conftest import changes, invoke, must, wrong

pytestmark = pytest.mark.live
FILL = (
    "fallocate -l $(( $(stat -f -c '%a * %S' / ) - 256 * 1024 )) /var/tmp/fill; dd if=/dev/zero bs=64k >> /var/tmp/fill"
)


def test_a_full_disk_stops_a_converge_and_nothing_is_half_written(healthy: Lab, machines: dict[str, Machine]) -> None:
    """Exit code 3 with the node and the reason; the old file stays whole; with room again the same command works."""
    web2, path = machines["web2"], "/etc/nginx/nginx.conf"
    web2.run(f"echo '# by hand' >> {path}; {FILL}", ok=(0, 1), timeout=120, title="fills the disk")
    try:
        before = web2.run(f"sha256sum {path}").stdout
        done = invoke("lab.provision")
        assert done.returncode == 3, done.stdout
        assert "web2" in done.stderr and "No space left on device" in done.stderr and "next: " in done.stderr
        assert web2.run(f"sha256sum {path}").stdout == before
    finally:
        web2.run("rm -f /var/tmp/fill")
    until("MySQL goes on", lambda: not wrong(healthy), 90, every=2)
    assert "web2: file /etc/nginx/nginx.conf" in changes()


def test_a_laptop_that_slept_gets_its_clocks_back(healthy: Lab, machines: dict[str, Machine]) -> None:
    """All three machines live an hour ago: one converge sets them, and replication never stopped."""
    for machine in machines.values():
        machine.run("date -u -s @%s", int(time.time()) - 3600, title="sleeps for an hour")
    changed = must("lab.provision").splitlines()
    assert [line.split(",")[0] for line in changed] == [f"{name}: clock" for name in ("lb1", "web1", "web2")]
    for machine in machines.values():
        asked = time.time()
        assert asked - 3 < float(machine.run("date +%s.%N").stdout) < time.time() + 3
    assert wrong(healthy) == []


@pytest.mark.slow
def test_a_replica_with_transactions_of_its_own_is_told_and_not_merged(
    healthy: Lab, machines: dict[str, Machine]
) -> None:
    """Somebody wrote on the replica: status and converge say so, both name the command that helps, and it does.

    The note that goes with it can be read in the file that the command names.
    """
    body = f"only here {secrets.token_hex(8)}"
    note = f"INSERT INTO site.notes (token, body, served_by, db) VALUES (UUID(), '{body}', 'nobody', 'web2')"
    statement = f"SET GLOBAL super_read_only = OFF; CREATE DATABASE by_hand; {note}; SET GLOBAL super_read_only = ON"
    machines["web2"].run("mysql -e %s", statement)
    done = invoke("lab.provision")
    assert (done.returncode, "2 transactions of its own" in done.stderr) == (1, True), done.stderr
    assert "invoke db.rejoin web2" in done.stderr and "invoke db.rejoin web2" in must("lab.status")
    output = must("db.rejoin", "web2", timeout=300)
    assert "2 transactions that web1 never had" in output
    path = saved_in(output)
    text = path.read_text(encoding="utf-8")
    assert f"###   @2='{body}'" in text and "CREATE DATABASE by_hand" in text and "-- node: web2" in text
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert machines["web2"].run("mysql -N -e %s", "SHOW DATABASES LIKE 'by_hand'").stdout == ""
    path.unlink()
    assert wrong(healthy) == []


@pytest.mark.slow
def test_what_can_not_be_copied_is_not_thrown_away(healthy: Lab, machines: dict[str, Machine]) -> None:
    """The logs of what only the replica has were purged: refused, and it goes on only when that is asked for."""
    lose = "CREATE DATABASE by_hand; FLUSH BINARY LOGS; PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 DAY"
    statement = f"SET GLOBAL super_read_only = OFF; {lose}; SET GLOBAL super_read_only = ON"
    machines["web2"].run("mysql -e %s", statement)
    done = invoke("db.rejoin", "web2", timeout=300)
    assert (done.returncode, "do not hold" in done.stderr) == (1, True), done.stderr
    assert "invoke db.rejoin web2 --discard" in done.stderr
    assert machines["web2"].run("mysql -N -e %s", "SHOW DATABASES LIKE 'by_hand'").stdout == "by_hand\n"
    assert "not written to a file: --discard" in must("db.rejoin", "web2", "--discard", timeout=300)
    assert wrong(healthy) == []


@pytest.mark.slow
def test_a_replica_whose_history_was_purged_says_why(healthy: Lab, machines: dict[str, Machine]) -> None:
    """The primary threw away what the replica had not fetched: MySQL's own words are shown; reset brings it back."""
    machines["web2"].run("mysql -e 'STOP REPLICA'")
    lose = (
        "CREATE DATABASE gone; DROP DATABASE gone; FLUSH BINARY LOGS; PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 DAY"
    )
    machines["web1"].run("mysql -e %s", f"SET GLOBAL rpl_semi_sync_source_enabled = OFF; {lose}")
    done = invoke("lab.provision")
    assert done.returncode == 3 and "purged" in done.stderr, done.stderr
    assert "not replicating" in must("lab.status")
    must("lab.reset", timeout=300)
    assert wrong(healthy) == []


@pytest.mark.slow
def test_a_server_that_does_not_stop_is_ended(healthy: Lab, machines: dict[str, Machine]) -> None:
    """A frozen mysqld ignores `systemctl stop`: systemd ends it after a minute, nothing was lost, it comes back."""
    before = _database(machines["web2"])
    machines["web2"].run("systemctl kill -s STOP mysql; systemctl stop mysql", timeout=90)
    must("lab.provision")
    after = _database(machines["web2"])
    assert after.replicating and after.gtid_executed >= before.gtid_executed


@pytest.mark.slow
def test_lost_passwords_are_made_anew_everywhere(healthy: Lab, machines: dict[str, Machine]) -> None:
    """The secrets file is gone: one converge, the site works, the next one finds nothing."""
    saved = credentials.SECRETS.read_bytes()
    credentials.SECRETS.unlink()
    try:
        must("lab.provision")
        assert credentials.SECRETS.read_bytes() != saved
        assert wrong(healthy) == []
        assert must("lab.provision").strip() == "nothing to change"
    finally:
        credentials.SECRETS.write_bytes(saved)
        must("lab.provision")


def saved_in(output: str) -> Path:
    """The file that a rejoin names."""
    found = re.search(r"written to (\S+-only-on-\w+\.sql)", output)
    assert found, output
    return Path(found[1])


def _database(machine: Machine) -> Database:
    found = databases_of([machine])[machine.node.name]
    assert found is not None
    return found
