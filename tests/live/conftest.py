"""The real lab for live tests: made or completed once, healthy before each test, left as it was found."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from lab import topology
from lab.errors import TimedOut
from lab.nodes import lifecycle
from lab.nodes.ssh import Machine
from lab.operations import status
from lab.topology import ROOT, Lab
from lab.wait import until

INVOKE = str(Path(sys.executable).with_name("invoke"))
LISTED = re.compile(r"^ *[\d.]+s  (.{9})     (\S.*)$", re.MULTILINE)  # of `lab.provision --verbose`, on stderr
UP_S, QUICK_S = 900.0, 120.0
PROMOTE_S, REJOIN_S, RESET_S = 180.0, 400.0, 300.0


def invoke(*words: str, timeout: float = QUICK_S, cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    """Run a command of the lab as a student would."""
    return subprocess.run([INVOKE, *words], cwd=cwd, capture_output=True, text=True, timeout=timeout)


def must(*words: str, timeout: float = QUICK_S, cwd: Path = ROOT) -> str:
    """The same, for what has to work: its output."""
    done = invoke(*words, timeout=timeout, cwd=cwd)
    assert done.returncode == 0, f"invoke {' '.join(words)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def changes(timeout: float = QUICK_S) -> list[str]:
    """Converge, and return each change that it lists, as 'web1: hostname' or 'account site_read'."""
    done = invoke("lab.provision", "--verbose", timeout=timeout)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    of_nodes = [f"{node.strip()}: {change}" for node, change in LISTED.findall(done.stderr)]
    return sorted([*of_nodes, *(it for it in done.stdout.splitlines() if not it.endswith(" changed"))])


def start(*words: str, cwd: Path = ROOT) -> "subprocess.Popen[str]":
    """Start a command of the lab in a session of its own, as a terminal would."""
    return subprocess.Popen(
        [INVOKE, *words], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


@cache
def machines_of(lab: Lab) -> list[Machine]:
    """A connection to each node, kept for all tests: opening one costs an emulated node seconds."""
    return lifecycle.machines(lab)


def wrong(lab: Lab) -> list[str]:
    """What is not as it should be, as status tells it; asked through new connections where the kept ones find trouble.

    The machine behind a kept connection may have been restored or started anew.
    """
    if not status.wrong(lab, status.collect(lab, machines_of(lab))):
        return []
    for machine in machines_of(lab):
        machine.close()
    return status.wrong(lab, status.collect(lab, machines_of(lab)))


def primary(lab: Lab) -> object:
    """Who takes writes, as status tells it."""
    return (status.collect(lab)["database"] or {}).get("primary")


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Lab:
    """The lab of this checkout, up; its progress is shown, for this takes minutes."""
    start = time.monotonic()
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        done = subprocess.run([INVOKE, "lab.up", "--timings"], cwd=ROOT, timeout=UP_S)
    assert done.returncode == 0, f"lab.up: exit {done.returncode}"
    sys.stderr.write(f"\nlab.up took {time.monotonic() - start:.0f} s\n")
    made = topology.load()
    assert wrong(made) == []
    return made


class Health:
    """Whether the lab was healthy after the last test: then it is before the next one, and nobody has to ask."""

    known = True


@pytest.fixture
def healthy(lab: Lab) -> Iterator[Lab]:
    """The lab for a test that changes it: healthy before, and again after it. Who only looks takes `lab`.

    What an earlier test left broken is its failure, and nobody else's: then the lab is reset.
    """
    if not Health.known:
        try:
            until("the lab is healthy", lambda: not wrong(lab), 30, every=2)
        except TimedOut:
            must("lab.reset", timeout=RESET_S)
            for machine in machines_of(lab):  # what they lead to is another machine now
                machine.close()
    Health.known = False
    yield lab
    until("the lab is healthy again", lambda: not wrong(lab), 120, every=2)
    Health.known = True


@pytest.fixture
def roles(healthy: Lab) -> Iterator[Lab]:
    """The lab with web1 as primary, and again after the test, whatever became of it."""
    yield healthy
    if wrong(healthy) or primary(healthy) != "web1":
        must("lab.reset", timeout=RESET_S)


@pytest.fixture
def machines(lab: Lab) -> dict[str, Machine]:
    """A connection to each node."""
    return {machine.node.name: machine for machine in machines_of(lab)}


@pytest.fixture
def balancer(healthy: Lab, machines: dict[str, Machine]) -> Machine:
    """The node of HAProxy."""
    return machines[healthy.having("balancer")[0].name]


@pytest.fixture
def capped(healthy: Lab) -> Iterator[Lab]:
    """Servers on which PHP has the processor for 15 pages a second each: a small crowd is too many for them."""
    for node in healthy.having("web"):
        must("fault.inject", "php-limit", node.name, "--pages-per-s", "15", timeout=180)
    try:
        yield healthy
    finally:
        must("fault.heal", timeout=180)
