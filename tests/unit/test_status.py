"""The status for people: red where something is wrong, then what to do."""

from typing import Any

from lab import status

HEALTHY: dict[str, Any] = {
    "stage": "distributed",
    "site": {"url": "http://192.168.56.10/", "ok": True},
    "nodes": [
        {"name": "lb1", "ip": "192.168.56.10", "state": "running", "roles": [], "services": {"haproxy": "active"}},
        {"name": "web1", "ip": "192.168.56.11", "state": "running", "roles": [], "services": {"nginx": "active"}},
    ],
    "balancer": {
        "algorithm": "roundrobin",
        "mode": "active-active",
        "servers": [{"name": "web1", "status": "UP", "weight": 100}],
    },
    "database": {
        "primary": "web1",
        "durability": "async",
        "servers": [
            {"name": "web1", "role": "primary", "writable": True, "replicating": False, "lag_s": None},
            {"name": "web2", "role": "replica", "writable": False, "replicating": True, "lag_s": 2},
        ],
    },
    "faults": [],
    "errors": [],
}


def test_a_healthy_lab_shows_no_red() -> None:
    """Green words only, and no advice."""
    text = status.table(HEALTHY, colour=True)
    assert status.RED not in text and "next" not in text
    assert "replica, read-only, 2 s behind" in text


def test_what_is_wrong_is_red_and_followed_by_a_command() -> None:
    """A stopped service, a server DOWN, a replica that does not replicate, a machine that is off."""
    broken = {
        **HEALTHY,
        "site": {"url": "http://192.168.56.10/", "ok": False},
        "nodes": [{**HEALTHY["nodes"][1], "services": {"nginx": "failed"}}],
        "balancer": {**HEALTHY["balancer"], "servers": [{"name": "web1", "status": "DOWN", "weight": 100}]},
        "database": {
            **HEALTHY["database"],
            "servers": [{**HEALTHY["database"]["servers"][1], "replicating": False, "lag_s": None}],
        },
        "errors": ["web2: the machine is off"],
    }
    text = status.table(broken, colour=True)
    for word in (
        "does not answer",
        "failed",
        "DOWN",
        "replica, read-only, not replicating",
        "web2: the machine is off",
    ):
        assert any(word in line and status.RED in line for line in text.splitlines()), word
    assert "invoke lab.up" in text.splitlines()[-1]


def test_without_a_terminal_there_is_no_colour() -> None:
    """Pipes and files get plain words."""
    assert "\x1b" not in status.table(HEALTHY, colour=False)


def test_parts_that_could_not_be_asked_are_left_out() -> None:
    """null in the data; the reason is among the errors."""
    text = status.table({**HEALTHY, "balancer": None, "database": None, "errors": ["lb1: off"]}, colour=False)
    assert "balancer" not in text and "wrong     lb1: off" in text
