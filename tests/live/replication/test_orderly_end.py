"""A primary that is asked to stop while commits wait: what visitors are told, why a promotion refuses, the way out."""

import json
import os
import secrets
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab import progress
from lab.nodes import site
from lab.nodes.facts import databases_of
from lab.nodes.ssh import Machine
from lab.topology import Lab
from lab.wait import until
from tests.live.conftest import PROMOTE_S, REJOIN_S, invoke, must, primary, start, wrong

pytestmark = [pytest.mark.live, pytest.mark.slow]
PID = "pid=$(systemctl show -p MainPID --value mysql)"
ENDS = {
    "systemctl": "systemctl stop mysql",
    "SIGTERM": f"{PID}; kill -TERM $pid",
    "SHUTDOWN": "mysql -e SHUTDOWN",
    "SIGTERM, then SIGKILL": f"{PID}; kill -TERM $pid; sleep 0.3; kill -KILL $pid",
    "frozen while it stops": f"{PID}; kill -TERM $pid; sleep 0.2; kill -STOP $pid",
}
SALVAGE_S = 400.0


def leave(lab: Lab, token: str) -> int:
    """Leave a note; return the status of the answer."""
    body = json.dumps({"token": token, "body": "is it kept?"})
    return site.fetch(lab, "/api/notes", method="POST", body=body, timeout=site.WRITE_S).status


def end_while_notes_wait(lab: Lab, machines: dict[str, Machine], end: str) -> dict[str, int]:
    """Stop replication, leave notes that wait, end MySQL on web1; return token -> status of each answer."""
    machines["web2"].run("mysql -e 'STOP REPLICA'", timeout=60)
    tokens = [secrets.token_hex(8) for _ in range(4)]
    with ThreadPoolExecutor(max_workers=4) as pool:
        answers = [pool.submit(leave, lab, token) for token in tokens]
        until("notes wait", lambda: waiting(machines["web1"]) > 0, 10, every=0.2)
        machines["web1"].script(f"{end}\nexit 0", timeout=90, title="ends MySQL")
        return {token: it.result() for token, it in zip(tokens, answers, strict=True)}


def waiting(machine: Machine) -> int:
    """How many commits wait for a replica."""
    it = databases_of([machine])[machine.node.name]
    return it.waiting if it else 0


def back(lab: Lab) -> None:
    """Make web1 the primary again."""
    if primary(lab) == "web2":
        must("db.rejoin", "web1", timeout=REJOIN_S)
        must("db.promote", "web1", timeout=PROMOTE_S)
    until("the lab is healthy", lambda: not wrong(lab), 120, every=2)


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_who_waited_is_not_told_that_the_note_is_kept(roles: Lab, machines: dict[str, Machine], end: str) -> None:
    """No 201; the promotion refuses and names the command that ends with an open primary, which has every note."""
    before = secrets.token_hex(8)
    assert leave(roles, before) == 201
    answers = end_while_notes_wait(roles, machines, end)
    progress.say("site", f"answers: {sorted(answers.values())}")
    assert 201 not in answers.values() and 200 not in answers.values()
    done = invoke("db.promote", "web2", timeout=PROMOTE_S)
    assert done.returncode == 1 and "invoke db.promote web2 --salvage" in done.stderr, done.stderr
    output = must("db.promote", "web2", "--salvage", timeout=SALVAGE_S)
    assert primary(roles) == "web2", output
    assert site.fetch(roles, f"/api/notes/{before}").status == 200
    back(roles)


def interrupted(command: tuple[str, ...], seen: Callable[[str], bool]) -> str:
    """Start a command and send it Ctrl-C when a line of its progress appears; return its output."""
    running, output = start(*command), ""
    assert running.stdout is not None
    for line in running.stdout:
        output += line
        if seen(line):
            os.killpg(running.pid, signal.SIGINT)
            break
    return output + running.communicate(timeout=120)[0]


@pytest.mark.parametrize("step", ["it is started read-only", "fetches", "is closed for writes"])
def test_a_salvage_that_was_interrupted_is_completed(roles: Lab, machines: dict[str, Machine], step: str) -> None:
    """At each step; the same command again ends with one open primary."""
    end_while_notes_wait(roles, machines, ENDS["systemctl"])
    output = interrupted(("db.promote", "web2", "--salvage"), lambda line: step in line)
    servers = databases_of([machines["web1"], machines["web2"]])
    assert len([it for it in servers.values() if it and it.writable]) < 2, output
    must("db.promote", "web2", "--salvage", timeout=SALVAGE_S)
    assert primary(roles) == "web2"
    back(roles)


def test_a_killed_mysql_is_no_doubt(roles: Lab, machines: dict[str, Machine]) -> None:
    """It had no time to release commits; systemd must not restart it meanwhile."""
    must("fault.inject", "service-kill", "web1", "--service", "mysql")
    output = must("db.promote", "web2", timeout=PROMOTE_S)
    assert "web2 has each write that it acknowledged" in output
    must("fault.heal", timeout=REJOIN_S)
    back(roles)
