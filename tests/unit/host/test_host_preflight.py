"""The findings about the hosting machine and their texts."""

import json
from contextlib import nullcontext
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from commands import lab as commands
from host import addresses, preflight
from host.addresses import Shown
from host.ownership.inventory import Domain, Inventory
from lab import topology

CASES = Path(__file__).parents[1] / "cases/host"
LAB = topology.load()


@pytest.mark.parametrize("case", json.loads((CASES / "addresses.json").read_text()), ids=lambda case: case["it"])
def test_who_else_uses_a_range(case: dict[str, Any]) -> None:
    """Interfaces and routes of other projects; the lab's own do not count."""
    shown = Shown((CASES / "addr.json").read_text(), (CASES / "route.json").read_text())
    assert addresses.clashes(IPv4Network(case["network"]), shown, case["ours"]) == case["clashes"]


def test_available_memory_is_the_kernels_estimate() -> None:
    """MemAvailable, not MemFree."""
    assert preflight.memory_available((CASES / "meminfo").read_text()) == 23726


def test_machines_that_run_already_need_no_memory_again() -> None:
    """Each of the others counts with the overhead of its emulator."""
    running = Domain("weblab_web1", "u1", True, None, ())
    off = Domain("weblab_web2", "u2", False, None, ())
    of_all = preflight.memory_needed(LAB, Inventory())
    assert of_all == sum(node.memory + 250 for node in LAB.nodes)
    assert preflight.memory_needed(LAB, Inventory((running, off))) == of_all - LAB.node("web1").memory - 250
    assert preflight.memory_needed(LAB, Inventory(), emulated=True) == of_all + 3 * 200


@pytest.mark.parametrize(
    ("finding", "line"),
    [
        (preflight.processor("x86_64"), "ok   processor    x86_64"),
        (
            preflight.processor("arm64"),
            "BAD  processor    arm64; the boxes are for x86 only: use another machine",
        ),
        (preflight.memory(3566, 22000), "ok   memory       3566 MB needed, 22000 MB available"),
        (
            preflight.memory(3566, 2000),
            "BAD  memory       3566 MB needed, 2000 MB available; close programs, or lower `memory:` in lab.yml",
        ),
        (preflight.memory(0, 900), "ok   memory       the lab runs and has its memory, 900 MB available"),
        (preflight.disk(Path("/images"), 0, 800), "ok   disk         nothing more needed in /images, 800 MB free"),
        (
            preflight.disk(Path("/images"), 9500, 800),
            "BAD  disk         9500 MB needed in /images, 800 MB free; free space there, see: df -h /images",
        ),
        (
            preflight.range_finding(IPv4Network("192.168.56.0/24"), ["interface wlan0 (192.168.56.9/24)"], "free it"),
            "BAD  addresses    192.168.56.0/24 is used by interface wlan0 (192.168.56.9/24); free it",
        ),
        (
            preflight.range_finding(IPv4Network("192.168.56.0/24"), [], "free it"),
            "ok   addresses    192.168.56.0/24 is free for the lab",
        ),
        (preflight.vagrant("Vagrant 2.3.4\n"), "ok   vagrant      2.3.4"),
        (
            preflight.vagrant("Vagrant 2.2.19\n"),
            "BAD  vagrant      2.2.19; install Vagrant 2.3 or newer: ./bootstrap.sh",
        ),
        (
            preflight.vagrant(""),
            "BAD  vagrant      it reports no version; install Vagrant 2.3 or newer: ./bootstrap.sh",
        ),
        (
            preflight.clock(datetime(1970, 1, 1, tzinfo=UTC), datetime(2026, 11, 1, 12, 30, tzinfo=UTC)),
            "BAD  clock        1970-01-01 00:00 UTC, but the lab's files are from 2026-11-01 12:30 UTC; "
            "set it: date --set",
        ),
        (
            preflight.clock(datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)),
            "ok   clock        2026-11-02 00:00 UTC",
        ),
    ],
)
def test_a_finding_says_what_was_seen_and_the_fix(finding: preflight.Finding, line: str) -> None:
    """One line; it has a fix only if something is wrong."""
    assert str(finding) == line


def test_the_last_line_is_the_verdict() -> None:
    """What is wrong is named once, however often it was found."""
    good, bad = preflight.processor("x86_64"), preflight.disk(Path("/images"), 9500, 800)
    assert preflight.verdict([good]).startswith("ready")
    line = preflight.verdict([good, bad, bad, preflight.memory(9, 8)])
    assert line.startswith("not ready") and "disk, memory" in line and "invoke lab.doctor" in line


@pytest.mark.parametrize("ok", [True, False])
def test_the_doctor_ends_with_the_verdict(monkeypatch: pytest.MonkeyPatch, ok: bool) -> None:
    """And its exit code agrees with it."""
    said: list[str] = []
    monkeypatch.setattr(commands, "examine", lambda lab: [preflight.Finding("vagrant", ok, "2.4", "install it")])
    monkeypatch.setattr(commands, "say", said.append)
    with nullcontext() if ok else pytest.raises(Exit):
        commands.doctor(Context())
    assert said[0].splitlines()[-1].startswith("ready" if ok else "not ready")
