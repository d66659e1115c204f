"""Bad days of a promotion: two at once, a full disk, diverged histories, machines that come back one by one."""

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.errors import LabError
from lab.nodes import lifecycle, site, vm_power
from lab.nodes.facts import databases_of
from lab.nodes.ssh import Machine
from lab.topology import Lab
from lab.wait import until
from tests.live.conftest import PROMOTE_S, REJOIN_S, UP_S, invoke, must, primary, wrong
from tests.live.replication.test_orderly_end import ENDS, SALVAGE_S, back, end_while_notes_wait, leave
from tests.live.replication.test_orderly_matrix import ENOUGH, Notes, held, writing

pytestmark = [pytest.mark.live, pytest.mark.slow]
STOP = ENDS["systemctl"]
OWN = "INSERT INTO site.notes (token, body, served_by, db) VALUES ('%s', 'made by hand', 'web2', 'web2')"


def open_ones(machines: dict[str, Machine]) -> list[str]:
    """The servers that take writes."""
    return [name for name, it in databases_of([machines["web1"], machines["web2"]]).items() if it and it.writable]


def has_acknowledged(notes: Notes, machines: dict[str, Machine]) -> bool:
    """Whether both servers have every acknowledged note, once."""
    servers = [held(machines[name]) for name in ("web1", "web2")]
    return all(notes.acknowledged() <= set(it) and len(it) == len(set(it)) for it in servers)


def boot(machine: Machine) -> str:
    """The machine's boot ID; '' if it does not answer."""
    try:
        return machine.run("cat /proc/sys/kernel/random/boot_id", title="names its boot").stdout
    except LabError:
        return ""


def test_of_two_users_who_promote_one_is_told_to_wait(roles: Lab, machines: dict[str, Machine]) -> None:
    """One promotion at a time; the other command changes nothing, and web2 is open at the end."""
    must("fault.inject", "power-off", "web1")
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda _: invoke("db.promote", "web2", timeout=PROMOTE_S), range(2)))
    assert sorted(it.returncode for it in done) == [0, 7], [it.stdout + it.stderr for it in done]
    assert primary(roles) == "web2"
    must("fault.heal", timeout=REJOIN_S)
    back(roles)


def test_a_salvage_from_a_full_disk_is_completed_when_there_is_room(roles: Lab, machines: dict[str, Machine]) -> None:
    """However far it gets before, no visitor gets a wrong answer, and all acknowledged notes are there."""
    before = secrets.token_hex(8)
    assert leave(roles, before) == 201
    end_while_notes_wait(roles, machines, STOP)
    must("fault.inject", "disk-full", "web1")
    tried = invoke("db.promote", "web2", "--salvage", timeout=SALVAGE_S)
    assert len(open_ones(machines)) == (tried.returncode == 0), tried.stdout + tried.stderr
    must("fault.heal", timeout=SALVAGE_S)
    must("db.promote", "web2", "--salvage", timeout=SALVAGE_S)
    assert open_ones(machines) == ["web2"] and site.fetch(roles, f"/api/notes/{before}").status == 200
    back(roles)


def test_where_both_have_notes_of_their_own_a_person_chooses(roles: Lab, machines: dict[str, Machine]) -> None:
    """A salvage can't merge them: it reports that, opens nothing, and names the command that chooses."""
    before, own = secrets.token_hex(8), secrets.token_hex(8)
    assert leave(roles, before) == 201
    by_hand = f"SET GLOBAL super_read_only = OFF; {OWN % own}; SET GLOBAL super_read_only = ON"
    machines["web2"].run(f'mysql -e "{by_hand}"', timeout=60)
    end_while_notes_wait(roles, machines, STOP)
    refused = invoke("db.promote", "web2", "--salvage", timeout=SALVAGE_S)
    assert refused.returncode == 1 and "--accept-data-loss" in refused.stderr, refused.stdout + refused.stderr
    assert open_ones(machines) == []
    must("db.promote", "web1", "--accept-data-loss", timeout=SALVAGE_S)
    assert open_ones(machines) == ["web1"]
    output = must("db.rejoin", "web2", timeout=REJOIN_S)
    assert "only-on-web2.sql" in output
    back(roles)
    assert before in held(machines["web2"]) and own not in held(machines["web2"])


def test_only_the_replica_comes_back_after_all_was_shut_down(roles: Lab, machines: dict[str, Machine]) -> None:
    """The old primary was shut down normally: that is a doubt, and with --salvage it is started and asked."""
    before = secrets.token_hex(8)
    assert leave(roles, before) == 201
    must("lab.down", timeout=UP_S)
    for name in ("lb1", "web2"):
        vm_power.power_on(roles.node(name))
        lifecycle.answering(machines[name])
    until("web2 answers", lambda: "web2: replica" in invoke("db.status").stdout, 240, every=2)
    refused = invoke("db.promote", "web2", timeout=PROMOTE_S)
    assert refused.returncode == 1 and "--salvage" in refused.stderr, refused.stdout + refused.stderr
    must("db.promote", "web2", "--salvage", timeout=SALVAGE_S)
    assert primary(roles) == "web2" and before in held(machines["web2"])
    back(roles)


def test_the_whole_lab_reboots_while_visitors_write(roles: Lab, machines: dict[str, Machine]) -> None:
    """No server opens by itself; the next converge opens the primary, and both have all acknowledged notes."""
    with writing(roles) as notes:
        until("enough is acknowledged", lambda: len(notes.acknowledged()) >= ENOUGH, 180, every=0.5)
        was = {machine: boot(machine) for machine in machines.values()}
        for machine in was:
            machine.script("systemd-run --quiet --on-active=1 systemctl reboot", title="reboots")
        until("all have booted anew", lambda: all(boot(it) not in ("", was[it]) for it in was), 300, every=2)
        must("lab.up", timeout=UP_S)
    until("the lab is healthy", lambda: not wrong(roles), 120, every=2)
    assert primary(roles) == "web1" and has_acknowledged(notes, machines)


def test_the_replica_comes_back_exactly_while_the_primary_stops(roles: Lab, machines: dict[str, Machine]) -> None:
    """Some waiting writes are confirmed at the last moment, some are not: each 201 means that the note is there."""
    with writing(roles) as notes:
        until("enough is acknowledged", lambda: len(notes.acknowledged()) >= ENOUGH, 180, every=0.5)
        machines["web2"].run("mysql -e 'STOP REPLICA'", timeout=60)
        until("notes wait", lambda: (it := databases_of([machines["web1"]])["web1"]) and it.waiting > 0, 20, every=0.2)
        with ThreadPoolExecutor() as pool:
            pool.submit(machines["web1"].script, f"{STOP}\nexit 0", timeout=90, title="ends MySQL")
            pool.submit(machines["web2"].run, "mysql -e 'START REPLICA'", timeout=60)
        must("db.promote", "web2", "--salvage", timeout=SALVAGE_S)
        assert primary(roles) == "web2"
    back(roles)
    assert has_acknowledged(notes, machines)
