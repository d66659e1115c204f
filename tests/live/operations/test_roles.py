"""A converge repairs drift and nothing else; a wrong template is refused before anything changes."""

import json
import re
import secrets

import pytest

from lab.nodes import site
from lab.nodes.ssh import Machine
from lab.topology import ROOT, Lab
from lab.wait import until
from tests.live.conftest import changes, invoke, must, primary, wrong

pytestmark = pytest.mark.live

DRIFT = {
    "changed file": ("web2", "echo '# by hand' >> /etc/nginx/nginx.conf", ["web2: file /etc/nginx/nginx.conf"]),
    "loose rights": ("web1", "chmod 644 /etc/weblab/site.php", ["web1: file /etc/weblab/site.php"]),
    "stopped service": ("lb1", "systemctl stop dnsmasq", ["lb1: start dnsmasq.service"]),
    "disabled service": ("lb1", "systemctl disable haproxy", ["lb1: start haproxy.service"]),
    "other name": ("web1", "hostname another", ["web1: hostname"]),
    "dropped account": ("web1", "mysql -e \"DROP USER 'site_read'@'localhost'\"", ["account site_read"]),
    "more rights": (
        "web1",
        "mysql -e \"GRANT DELETE ON site.notes TO 'site_write'@'192.168.56.0/255.255.255.0'\"",
        ["account site_write"],
    ),
    "replica stopped": ("web2", "mysql -e 'STOP REPLICA'", ["web2: replica threads"]),
}


def test_all_that_was_changed_by_hand_is_repaired_and_nothing_else(healthy: Lab, machines: dict[str, Machine]) -> None:
    """Eight changes on all nodes at once: the converge names exactly these, and the next one finds none."""
    for node, command, _ in DRIFT.values():
        machines[node].run(command, title="drift")
    assert [re.sub(r"php[\d.]+-fpm", "php-fpm", it) for it in changes()] == [
        "account site_read",
        "account site_write",
        "lb1: start dnsmasq.service",
        "lb1: start haproxy.service",
        "web1: file /etc/weblab/site.php",
        "web1: hostname",
        "web1: systemctl reload php-fpm",
        "web2: file /etc/nginx/nginx.conf",
        "web2: replica threads",
        "web2: systemctl reload nginx",
    ]
    assert must("lab.provision").strip() == "nothing to change"


@pytest.mark.slow
@pytest.mark.parametrize("case", DRIFT.values(), ids=DRIFT.keys())
def test_drift_is_repaired_and_only_that(
    healthy: Lab, machines: dict[str, Machine], case: tuple[str, str, list[str]]
) -> None:
    """One change by hand: the converge names exactly this one, and the next one finds none."""
    node, command, expected = case
    machines[node].run(command, title="drift")
    changed = [it for it in changes() if "systemctl reload" not in it]
    assert len(changed) == len(expected), changed
    for line, begin in zip(changed, expected, strict=True):
        assert line.startswith(begin)
    assert must("lab.provision").strip() == "nothing to change"


REFUSED = {
    "haproxy -c": (
        "haproxy.cfg.j2",
        "backend broken\n    balance no-such-algorithm",
        "lb1",
        "haproxy",
        "balance only supports",
    ),
    "nginx -t": ("nginx.conf.j2", "no_such_directive on;", "web1", "nginx", 'unknown directive "no_such_directive"'),
    "mysqld --validate-config": ("mysqld.cnf.j2", "no_such_variable = 1", "web2", "mysql", "no_such_variable"),
}
CONFIGURATION = {
    "haproxy": "/etc/haproxy/haproxy.cfg",
    "nginx": "/etc/nginx/nginx.conf",
    "mysql": "/etc/mysql/mysql.conf.d/zz-weblab.cnf",
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_a_template_that_its_product_refuses_changes_nothing(
    healthy: Lab, machines: dict[str, Machine], case: tuple[str, str, str, str, str]
) -> None:
    """The product's checker refuses it: exit code 3 with its message; the old file and the service stay."""
    name, wrong_lines, node, service, words = case
    template = ROOT / "provision" / "templates" / name
    text = template.read_text(encoding="utf-8")
    question = f"sha256sum {CONFIGURATION[service]}; systemctl show -p MainPID {service}"
    before = machines[node].run(question).stdout
    try:
        template.write_text(f"{text}\n{wrong_lines}\n", encoding="utf-8")
        done = invoke("lab.provision")
    finally:
        template.write_text(text, encoding="utf-8")
    assert done.returncode == 3
    assert words in done.stderr and f"check of {CONFIGURATION[service]}" in done.stderr
    assert machines[node].run(question).stdout == before


PERSIST = "SET PERSIST super_read_only = OFF; SET PERSIST read_only = OFF"
RESET_PERSIST = "RESET PERSIST IF EXISTS super_read_only; RESET PERSIST IF EXISTS read_only"
CLOSE = "SET GLOBAL super_read_only = ON"


def test_set_persist_does_not_open_a_server_at_boot(healthy: Lab, machines: dict[str, Machine]) -> None:
    """SET PERSIST makes the replica writable; after a restart of its MySQL it is still read-only."""
    web2 = machines["web2"]
    persisted = "mysql -N -e 'SELECT COUNT(*) FROM performance_schema.persisted_variables'"
    try:
        web2.run("mysql -e %s", f"{PERSIST}; {CLOSE}")
        assert web2.run(persisted).stdout.strip() == "2"
        web2.run("systemctl restart mysql", timeout=120)
        assert web2.run("mysql -N -e 'SELECT @@read_only, @@super_read_only'").stdout.split() == ["1", "1"]
    finally:
        web2.run("mysql -e %s", f"{CLOSE}; {RESET_PERSIST}")
    web2.run("grep read_only /var/lib/mysql/mysqld-auto.cnf", ok=(1,))
    until("the lab is healthy", lambda: not wrong(healthy), 60, every=2)


HANGING = {
    "no replica in durable mode": ("web2", "mysql -e 'STOP REPLICA IO_THREAD'", "mysql -e 'START REPLICA IO_THREAD'"),
    "the primary's mysqld is frozen": ("web1", "systemctl kill -s STOP mysql", "systemctl kill -s CONT mysql"),
}


@pytest.mark.parametrize("case", HANGING.values(), ids=HANGING.keys())
def test_reads_go_on_while_every_write_hangs(
    healthy: Lab, machines: dict[str, Machine], case: tuple[str, str, str]
) -> None:
    """No write is acknowledged and no read fails; afterwards the lab is healthy, and 'unknown' was true."""
    node, begin, end = case
    token = secrets.token_hex(8)
    machines[node].run(begin)
    try:
        body = json.dumps({"token": token, "body": "into the void"})
        written = site.fetch(healthy, "/api/notes", method="POST", body=body, timeout=20)
        assert written.status in (503, 504), written.text
        assert [site.fetch(healthy).status for _ in range(20)] == [200] * 20
    finally:
        machines[node].run(end)
    until("the lab is healthy", lambda: not wrong(healthy), 60, every=2)
    if written.status == 504:
        assert json.loads(written.text) == {"error": "unknown"}
        until("the unknown write appears", lambda: site.fetch(healthy, f"/api/notes/{token}").status == 200, 20)
    else:
        assert site.fetch(healthy, f"/api/notes/{token}").status == 404, "503 means it never appears"


@pytest.mark.slow
def test_a_primary_whose_mysql_was_stopped_is_started_again_and_stays_primary(
    healthy: Lab, machines: dict[str, Machine]
) -> None:
    """Status names the cheaper command before the promotion, and that command is all it takes."""
    before = primary(healthy)
    machines[str(before)].run("systemctl stop mysql", title="stops the primary's MySQL", timeout=90)
    for command in ("lab.status", "db.status"):
        assert "next: invoke lab.provision (starts it" in must(command), command
    must("lab.provision", timeout=240)
    assert primary(healthy) == before
    until("the lab is healthy", lambda: not wrong(healthy), 60, every=2)
