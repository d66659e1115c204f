"""How the observers read the answers of nodes."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab import clock, topology
from lab.analysis.timeline import Entry
from lab.durability import Durability
from lab.experiment import effective_config, observers
from lab.nodes import facts, vm_power
from lab.topology import Node
from lab.wait import until

LAB = topology.load()
CASES = Path(__file__).parents[1] / "cases"


def observer(name: str, node: str) -> observers.Observer:
    """One of the observers of this lab."""
    return next(it for it in observers.observers(LAB) if (it.name, it.node.name) == (name, node))


def test_every_part_of_the_lab_is_looked_at() -> None:
    """There are observers for the balancer, both databases, and the services of each node."""
    seen = sorted(f"{it.name} {it.node.name}" for it in observers.observers(LAB))
    twice = [f"{it} {node}" for it in ("database", "service", "writable") for node in ("web1", "web2")]
    assert seen == sorted(["balancer lb1", "service lb1", *twice])


@pytest.mark.parametrize("it", observers.observers(LAB), ids=lambda it: f"{it.name}-{it.node.name}")
def test_every_observers_script_is_bash(it: observers.Observer) -> None:
    """bash -n accepts each script."""
    done = subprocess.run(["bash", "-n"], input=it.script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


CLIENT = """#!/bin/bash
echo $$ >> "$CLIENTS"
while read -r line; do echo "$line"; done
"""


@pytest.mark.parametrize("it", observers.observers(LAB), ids=lambda it: f"{it.name}-{it.node.name}")
def test_an_observer_that_is_over_leaves_no_process(it: observers.Observer, tmp_path: Path) -> None:
    """Its script and the clients that it started end with its input: they would ask the node for two minutes more."""
    for name in ("mysql", "socat", "systemctl"):
        (tmp_path / name).write_text("#!/bin/sh\necho ssh.service\n" if name == "systemctl" else CLIENT)
        (tmp_path / name).chmod(0o755)
    clients = tmp_path / "clients"
    clients.touch()
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CLIENTS": str(clients)}
    words, pipe = ["bash", "-s"], subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=path) as script:
        assert script.stdin and script.stdout
        script.stdin.write(f"{it.script}\n")
        script.stdin.flush()
        assert script.stdout.readline()
        script.stdin.close()
        assert script.wait(5) == 0
    started = [Path("/proc", pid) for pid in clients.read_text().split()]
    until("the clients are gone", lambda: not any(it.exists() for it in started), 3)


def test_a_database_sample_tells_role_and_transactions() -> None:
    """A recorded sample, with the frame around the mark of its end."""
    text = (CASES / "facts/mysql-9.7-web2.txt").read_text(encoding="utf-8")
    seen = observer("database", "web2").read(
        "web2", f"{text}\n*************************** 1. row ***************************"
    )
    assert seen is not None
    assert (seen["node"], seen["role"], seen["writable"], seen["replicating"]) == ("web2", "replica", False, True)
    assert seen["semi_sync"] is None and seen["gtid_executed"].endswith(":1-36")


@pytest.mark.parametrize(("read_only", "for_s"), [("0", "115.2068"), ("1", "123")])
def test_a_look_at_read_only_tells_for_how_long(read_only: str, for_s: str) -> None:
    """Since it was set, or since MySQL's start."""
    text = f"***** 1. row *****\nread_only: {read_only}\n    for_s: {for_s} "
    seen = observer("writable", "web1").read("web1", text)
    assert seen == {"node": "web1", "writable": read_only == "0", "for_s": float(for_s)}
    assert observer("writable", "web1").read("web1", "ERROR 2002 (HY000): Can't connect to local MySQL server") is None


def test_a_balancer_sample_counts_retries() -> None:
    """Every server of both backends, with HAProxy's status."""
    text = next((CASES / "facts").glob("haproxy*")).read_text(encoding="utf-8")
    seen = observer("balancer", "lb1").read("lb1", text)
    assert seen is not None
    servers = {(it["backend"], it["name"]): it for it in seen["servers"]}
    assert servers["web", "web1"]["status"].startswith("UP")
    assert {"queue", "retries", "redispatches", "sessions", "errors"} <= set(servers["web", "web1"])


def test_a_sample_is_of_the_moment_at_which_its_first_question_was_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first answer, whether the database is writable, is older than a later answer that had to wait."""
    entries: list[Entry] = []
    samples = observers.Samples(observer("database", "web2"), entries.append)
    lines = (CASES / "facts/mysql-9.7-web2.txt").read_text(encoding="utf-8").splitlines()
    for begins in (100.0, 200.0):
        for number, line in enumerate([*lines, f"{observers.END_OF_SAMPLE}: 1"]):
            monkeypatch.setattr(clock, "now", lambda now=begins + number: now)
            samples.take(line)
    assert [(entry.at, entry.kind) for entry in entries] == [(100.0, "state"), (200.0, "state")]


def test_no_answer_is_blindness_with_a_reason() -> None:
    """If a database is down, its client's error is the reason."""
    text = "ERROR 2002 (HY000): Can't connect to local MySQL server"
    assert observer("database", "web1").read("web1", text) is None
    entry = observers._entry(observer("database", "web1"), 7.0, None, text)
    assert (entry.at, entry.kind, entry.data["node"], entry.data["why"]) == (7.0, "blind", "web1", text)


def test_requests_are_those_that_the_sites_frontend_took() -> None:
    """The servers' sessions do not count: a request that was tried twice counts once."""
    text = "# pxname,svname,req_tot,\nsite,FRONTEND,120,\nweb,web1,,\nstats,FRONTEND,7,\n"
    assert facts.requests(text) == 120
    assert facts.requests("") is None


def test_what_decides_is_read_from_the_configuration() -> None:
    """From the golden file of the balancer: numbers in seconds, and lines with what they decide."""
    text = (CASES / "templates/lb1/haproxy.cfg").read_text(encoding="utf-8")
    assert effective_config.limits(text) == {
        "check_inter_s": 1.0,
        "check_fastinter_s": 0.5,
        "fall": 2,
        "rise": 2,
        "check_timeout_s": 1.5,
        "connect_s": 0.7,
        "server_s": 5.0,
    }
    shown = [it["lines"] for it in effective_config.lines(text)]
    assert ["defaults", "    retries 4"] in shown and ["defaults", "    option redispatch 1"] in shown
    assert len(shown) == len(effective_config.HAPROXY_LINES), "each line that is explained is there"


def test_a_line_that_is_in_two_sections_is_shown_in_both() -> None:
    """A read and a write wait for different times: which is which, the section says."""
    text = (CASES / "templates/lb1/haproxy.cfg").read_text(encoding="utf-8")
    (shown,) = [it["lines"] for it in effective_config.lines(text) if "timeout server" in it["lines"][1]]
    assert shown == ["defaults", "    timeout server 5s", "backend write", "    timeout server 10s"]


def test_what_decides_about_writes_is_read_too() -> None:
    """From the golden file of a database, and the settings of a durability on the running primary."""
    text = (CASES / "templates/web1/mysqld.cnf").read_text(encoding="utf-8")
    *file, chosen = effective_config.mysql_lines(text, Durability.AVAILABLE)
    assert [it["lines"] for it in file] == [
        ["[mysqld]", "    super_read_only = ON"],
        ["[mysqld]", "    innodb_flush_log_at_trx_commit = 1"],
        ["[mysqld]", "    sync_binlog = 1"],
        ["[mysqld]", "    sync_relay_log = 1"],
        ["[mysqld]", "    relay_log_recovery = ON"],
    ]
    assert "SET GLOBAL rpl_semi_sync_source_timeout = 1000;" in chosen["lines"] and "a second" in chosen["why"]


class Double:
    """A connection to a node that reports nothing for a while, and then is lost."""

    def __init__(self, node: Node, after_s: float) -> None:
        self.node, self.after_s = node, after_s

    def follow(self, text: str, on_line: object, going: Callable[[], bool], silence: float) -> None:
        """Follow without a line, then fail."""
        until("it is over", lambda: not going(), self.after_s, every=0.02)


@pytest.mark.parametrize(("after_s", "opens_s", "seen"), [(0.2, 5.0, 7), (5.0, 0.2, 0)], ids=["open", "too late"])
def test_no_load_before_every_observer_is_open(
    monkeypatch: pytest.MonkeyPatch, after_s: float, opens_s: float, seen: int
) -> None:
    """Opening them during load took web2 out; an observer that never opens does not block the run."""
    monkeypatch.setattr(observers, "OPENS_S", opens_s)
    monkeypatch.setattr(vm_power, "states", lambda lab: {})
    entries: list[Entry] = []
    machines: Any = [Double(node, after_s) for node in LAB.nodes]
    with observers.watching(LAB, machines, entries.append):
        assert len(entries) >= seen and (seen or not entries)
