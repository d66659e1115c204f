"""The thin whole on three real kernels: pages through the balancer, replicated rows, a second converge."""

import json
import secrets

import pytest

from lab.nodes import facts, name_server, site
from lab.nodes.ssh import Machine
from lab.topology import Lab
from lab.wait import until
from tests.live.conftest import invoke, must

pytestmark = pytest.mark.live


def test_three_machines_run_kernels_of_their_own(lab: Lab, machines: dict[str, Machine]) -> None:
    """Three boot ids, and each machine knows its name and has its address."""
    question = "cat /proc/sys/kernel/random/boot_id; uname -n; ip -4 -o addr"
    answers = {name: machine.run(question).stdout for name, machine in machines.items()}
    assert len({answer.splitlines()[0] for answer in answers.values()}) == 3
    for node in lab.nodes:
        assert answers[node.name].splitlines()[1] == node.name
        assert f" {node.ip}/" in answers[node.name]


def test_both_servers_answer_through_the_balancer(lab: Lab) -> None:
    """Round robin: four pages, two from each, read from the database beside it."""
    pages = [site.fetch(lab) for _ in range(4)]
    assert [page.status for page in pages] == [200] * 4
    assert sorted(page.headers["x-served-by"] for page in pages) == ["web1", "web1", "web2", "web2"]
    assert all(page.headers["x-db"] == page.headers["x-served-by"] for page in pages)


def test_a_row_written_on_the_primary_is_read_on_the_replica(lab: Lab, machines: dict[str, Machine]) -> None:
    """A note through the balancer is in both databases, asked directly."""
    token = secrets.token_hex(8)
    answer = site.fetch(lab, "/api/notes", method="POST", body=json.dumps({"token": token, "body": "hello"}))
    assert answer.status == 201, answer.text
    query = f"mysql -N -e \"SELECT body FROM site.notes WHERE token = '{token}'\""
    assert machines["web1"].run(query).stdout.strip() == "hello"
    assert until("web2 has the note", lambda: machines["web2"].run(query).stdout.strip(), 10) == "hello"


def test_only_the_primary_is_writable_not_even_for_root(lab: Lab, machines: dict[str, Machine]) -> None:
    """super_read_only on the replica refuses the superuser."""
    statement = "mysql -e \"INSERT INTO site.notes (token, body, served_by, db) VALUES ('x', 'x', 'x', 'x')\""
    answer = machines["web2"].run(statement, ok=(1,))
    assert "super-read-only" in answer.stderr


def test_the_nameserver_answers_with_the_balancer(lab: Lab) -> None:
    """A real DNS question, as `dig @192.168.56.10 www.foobar.com` asks it."""
    assert name_server.resolve(lab, lab.site, 5) == str(lab.having("balancer")[0].ip)
    assert name_server.resolve(lab, f"unknown.{lab.site}", 5) == ""


def test_a_second_converge_changes_nothing(lab: Lab) -> None:
    """No file, no restart, no statement."""
    assert must("lab.provision").strip() == "nothing to change"


def test_status_is_complete_data(lab: Lab) -> None:
    """The shape that scripts rely on, all parts answered."""
    now = json.loads(must("lab.status", "--json"))
    assert set(now) == {"stage", "site", "nodes", "balancer", "database", "running", "faults", "errors"}
    assert now["site"] == {"url": "http://192.168.56.10/", "ok": True}
    assert [(it["name"], it["state"]) for it in now["nodes"]] == [(n, "running") for n in ("lb1", "web1", "web2")]
    assert {it["name"]: it["status"] for it in now["balancer"]["servers"]} == {"web1": "UP", "web2": "UP"}
    assert now["database"]["primary"] == "web1"
    assert now["errors"] == []


def test_exec_answers_with_output_and_exit_code(lab: Lab) -> None:
    """A student's way to look into a node."""
    done = invoke("lab.exec", "web1", "id -un; exit 7")
    assert (done.returncode, done.stdout.strip()) == (7, "root")


def test_an_unknown_node_is_refused(lab: Lab) -> None:
    """Exit code 2 and the near names."""
    done = invoke("lab.exec", "web9", "true")
    assert done.returncode == 2
    assert "web1 or web2" in done.stderr


def test_a_second_changing_command_is_refused(lab: Lab) -> None:
    """Exit code 7, naming the first; looking is still allowed."""
    from lab.state import lock

    with lock.held():
        done = invoke("lab.provision")
        assert done.returncode == 7
        assert "locked by" in done.stderr
        must("lab.status")


def test_a_secret_shows_in_no_process_list_and_no_log(lab: Lab, machines: dict[str, Machine]) -> None:
    """The generated passwords are looked for on each node while a converge just ran."""
    from lab.state import credentials

    for password in credentials.passwords([]).values():
        for machine in machines.values():
            look = "ps -ef | grep -F %s | grep -v grep; journalctl -b --no-pager | grep -F %s; true"
            assert machine.run(look.replace("%s", f"'{password[:9]}''{password[9:]}'")).stdout == ""


def test_databases_have_identities_of_their_own(lab: Lab, machines: dict[str, Machine]) -> None:
    """A baked box must not give both servers the same UUID."""
    uuids = {machines[name].run("mysql -N -e 'SELECT @@server_uuid'").stdout for name in ("web1", "web2")}
    assert len(uuids) == 2
    assert facts.ask(machines["web2"]).database is not None
