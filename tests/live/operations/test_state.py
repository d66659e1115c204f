"""The state of each role, checked with pytest-testinfra, independently of the code that made it."""

import json
from collections.abc import Callable

import pytest
import testinfra
from testinfra.host import Host

from lab.nodes.ssh import SSH_CONFIG
from lab.topology import Lab, Node

pytestmark = pytest.mark.live
SITE = "/var/www/site"
CLOCK_S = 0.005  # nginx updates its clock once per event loop: a part may seem longer than the total


@pytest.fixture(scope="module")
def hosts(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[tuple[Node, Host]]]:
    """testinfra's hosts of the nodes with a role: one connection for each node, because opening one takes seconds."""
    shared = tmp_path_factory.mktemp("ssh")
    options = {node.name: {"ssh_config": str(SSH_CONFIG), "controlpath": str(shared / node.name)} for node in lab.nodes}
    made = {name: testinfra.get_host(f"ssh://{name}?sudo=true", **it) for name, it in options.items()}
    return lambda role: [(node, made[node.name]) for node in lab.nodes if role in ("", *node.roles)]


Hosts = Callable[[str], list[tuple[Node, Host]]]


def runs(host: Host, name: str) -> bool:
    """Whether a service is running and enabled at boot."""
    service = host.service(name)
    return bool(service.is_running and service.is_enabled)


def test_every_node_has_its_name_and_knows_the_others(lab: Lab, hosts: Hosts) -> None:
    """Base: host name, lab address, the names of all nodes, and the address is configured for the next boot."""
    for node, host in hosts(""):
        assert host.check_output("uname -n") == node.name
        assert f"{node.ip}/{lab.network.prefixlen}" in host.check_output("ip -4 -o address show")
        assert runs(host, "systemd-networkd")
        entries = host.file("/etc/hosts").content_string
        assert all(f"{it.ip} {it.name}" in entries for it in lab.nodes)


def test_the_nameserver_listens(lab: Lab, hosts: Hosts) -> None:
    """Nameserver: dnsmasq on port 53 of the lab's address."""
    for node, host in hosts("nameserver"):
        assert runs(host, "dnsmasq")
        assert host.socket(f"udp://{node.ip}:53").is_listening
        assert host.run("dnsmasq --test").rc == 0


def test_the_balancer_is_closed_to_all_but_root(lab: Lab, hosts: Hosts) -> None:
    """Balancer: HAProxy serves and shows statistics; only root can disable servers."""
    for _, host in hosts("balancer"):
        assert runs(host, "haproxy")
        assert host.socket("tcp://0.0.0.0:80").is_listening and host.socket("tcp://0.0.0.0:8404").is_listening
        socket = host.file("/run/haproxy/admin.sock")
        assert (socket.is_socket, socket.mode, socket.user) == (True, 0o600, "root")
        assert host.run("haproxy -c -q -f /etc/haproxy/haproxy.cfg").rc == 0
        workers = host.process.filter(comm="haproxy", user="haproxy")
        assert workers, "the process that talks to visitors has given up root"


def test_the_web_servers_keep_reads_and_writes_apart(lab: Lab, hosts: Hosts) -> None:
    """Web: nginx; PHP-FPM with its pools on sockets that only nginx can open; the passwords are protected."""
    for _, host in hosts("web"):
        fpm = host.check_output("systemctl list-units --plain --no-legend 'php*-fpm.service' | cut -d ' ' -f 1")
        assert runs(host, "nginx") and runs(host, fpm.removesuffix(".service"))
        for pool in ("read", "write", "health"):
            socket = host.file(f"/run/php/{pool}.sock")
            assert (socket.is_socket, socket.mode, socket.user) == (True, 0o660, "www-data")
            assert host.check_output("pgrep -fc %s", f"^php-fpm: pool {pool}") not in ("", "0")
        settings = host.file("/etc/weblab/site.php")
        assert (settings.mode, settings.user, settings.group) == (0o640, "root", "www-data")
        assert not host.socket("tcp://0.0.0.0:9000").is_listening
        assert host.file(f"{SITE}/index.php").user == "root", "the site cannot change itself"


def test_the_balancers_checks_have_a_way_of_their_own(lab: Lab, hosts: Hosts) -> None:
    """Only the balancer can use their port, and they are not delayed when all processes for visitors are busy."""
    ((_, balancer),) = hosts("balancer")
    for node, host in hosts("web"):
        ask = f"curl -s -o /dev/null -m 5 -w '%{{http_code}}' http://{node.ip}:8080"
        assert balancer.check_output(f"{ask}/health") == "200" and balancer.check_output(f"{ask}/") == "404"
        assert host.check_output(f"{ask}/health") == "403"
        host.check_output("pkill -STOP -f '^php-fpm: pool read'")
        try:
            assert balancer.check_output(f"{ask}/health") == "200"
        finally:
            host.check_output("pkill -CONT -f '^php-fpm: pool read'")


def test_the_access_log_tells_how_long_each_hop_took(lab: Lab, hosts: Hosts) -> None:
    """Web: one JSON object a line, with the times of nginx and PHP."""
    for _, host in hosts("web"):
        host.run("curl -s -o /dev/null http://127.0.0.1/")
        entry = json.loads(host.check_output("tail -n 1 /var/log/nginx/access.log"))
        assert entry["pool"] == "read" and 0 < float(entry["php"]) <= float(entry["request"]) + CLOCK_S < 10


def test_the_databases_boot_read_only_and_safe(lab: Lab, hosts: Hosts) -> None:
    """Database: a server boots read-only because it does not know its role, and acknowledged writes are on disk."""
    wanted = {
        "log_bin": "1",
        "gtid_mode": "ON",
        "enforce_gtid_consistency": "ON",
        "binlog_format": "ROW",
        "sync_binlog": "1",
        "innodb_flush_log_at_trx_commit": "1",
        "sync_relay_log": "1",
        "relay_log_recovery": "1",
        "skip_name_resolve": "1",
    }
    question = "SELECT " + ", ".join(f"@@{name}" for name in wanted)
    for node, host in hosts("database"):
        assert runs(host, "mysql")
        assert host.socket("tcp://0.0.0.0:3306").is_listening and not host.socket("tcp://33060").is_listening
        values = host.check_output("mysql -N -e %s", question).split("\t")
        assert dict(zip(wanted, values, strict=True)) == wanted
        assert host.check_output("mysql -N -e 'SELECT @@server_id'") == str(node.server_id)
        assert "super_read_only = ON" in host.file("/etc/mysql/mysql.conf.d/zz-weblab.cnf").content_string
        assert host.check_output("systemctl show -p TimeoutStopUSec --value mysql") == "1min"


def test_accounts_have_the_least_rights(lab: Lab, hosts: Hosts) -> None:
    """Database: no remote account has all privileges, readers can't write, and no account is anonymous."""
    outside = (
        "SELECT CONCAT(user, '@', host) FROM mysql.user WHERE user = '' OR (host <> 'localhost' AND Super_priv = 'Y')"
    )
    for _, host in hosts("database"):
        assert host.check_output("mysql -N -e %s", outside) == ""
        grants = host.check_output("mysql -N -e %s", "SHOW GRANTS FOR 'site_read'@'localhost'")
        assert "SELECT" in grants and "INSERT" not in grants and "ALL PRIVILEGES" not in grants


def test_the_replica_follows_by_gtid(lab: Lab, hosts: Hosts) -> None:
    """Replication: one of the two follows by GTID, is read-only even for root, and its semi-sync source is off."""
    question = "SHOW REPLICA STATUS"
    replicas = [(node, host) for node, host in hosts("database") if host.check_output("mysql -N -e %s", question)]
    assert [node.name for node, _ in replicas] == ["web2"]
    host = replicas[0][1]
    status = host.check_output("mysql --vertical -e %s", question)
    assert "Auto_Position: 1" in status and "Replica_SQL_Running: Yes" in status
    own = host.check_output("mysql -N -e 'SELECT @@super_read_only, @@rpl_semi_sync_source_enabled'")
    assert own.split() == ["1", "0"]
