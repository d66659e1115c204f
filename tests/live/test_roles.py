"""Drift is repaired, and only that; a wrong template is refused before anything changes."""

import json
import secrets

import pytest

from lab import site
from lab.machine import Machine
from lab.topology import ROOT, Lab
from lab.wait import until
from tests.live.conftest import invoke, must, wrong

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
        "mysql -e \"GRANT DELETE ON site.* TO 'site_read'@'localhost'\"",
        ["account site_read"],
    ),
    "replica stopped": ("web2", "mysql -e 'STOP REPLICA'", ["web2: replica threads"]),
}


@pytest.mark.parametrize("case", DRIFT.values(), ids=DRIFT.keys())
def test_drift_is_repaired_and_only_that(
    healthy: Lab, machines: dict[str, Machine], case: tuple[str, str, list[str]]
) -> None:
    """One thing was changed by hand: the converge names exactly it, and the next one finds nothing."""
    node, command, expected = case
    machines[node].run(command, title="drift")
    changed = must("lab.provision").splitlines()
    assert len(changed) == len(expected), changed
    for line, begin in zip(changed, expected, strict=True):
        assert line.startswith(begin)
    assert must("lab.provision").strip() == "nothing to change"


def test_a_template_that_its_product_refuses_changes_nothing(healthy: Lab, machines: dict[str, Machine]) -> None:
    """haproxy -c says no: exit code 3, its words are shown, the old file and the service stay."""
    template = ROOT / "provision" / "templates" / "haproxy.cfg.j2"
    text = template.read_text()
    question = "sha256sum /etc/haproxy/haproxy.cfg; systemctl show -p MainPID haproxy"
    before = machines["lb1"].run(question).stdout
    try:
        template.write_text(text + "\nbackend broken\n    balance no-such-algorithm\n")
        done = invoke("lab.provision")
    finally:
        template.write_text(text)
    assert done.returncode == 3
    assert "balance only supports" in done.stderr and "check of /etc/haproxy/haproxy.cfg" in done.stderr
    assert machines["lb1"].run(question).stdout == before


def test_reads_go_on_while_every_write_hangs(healthy: Lab, machines: dict[str, Machine]) -> None:
    """Durable, and the replica is gone: no write is acknowledged, no read fails; then all is well again."""
    token = secrets.token_hex(8)
    machines["web2"].run("mysql -e 'STOP REPLICA IO_THREAD'")
    try:
        body = json.dumps({"token": token, "body": "into the void"})
        written = site.fetch(healthy, "/api/notes", method="POST", body=body, timeout=20)
        assert written.status == 504 and json.loads(written.text) == {"error": "unknown"}
        assert [site.fetch(healthy).status for _ in range(20)] == [200] * 20
    finally:
        machines["web2"].run("mysql -e 'START REPLICA IO_THREAD'")
    until("the lab is healthy", lambda: not wrong(healthy), 60, every=2)
    note = until("the unknown write appears", lambda: site.fetch(healthy, f"/api/notes/{token}").status == 200, 20)
    assert note
