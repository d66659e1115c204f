"""Snapshots of all three machines, reset to the clean state, and backup to a file."""

import json
import secrets
import time
from pathlib import Path

import pytest

from lab.nodes import lifecycle, site
from lab.nodes.ssh import Machine
from lab.state import choices
from lab.topology import Lab
from tests.live.conftest import invoke, must, wrong

pytestmark = pytest.mark.live


def leave_note(lab: Lab) -> str:
    """Write a note through the balancer; returns its token."""
    token = secrets.token_hex(8)
    answer = site.fetch(lab, "/api/notes", method="POST", body=json.dumps({"token": token, "body": "a note"}))
    assert answer.status == 201, answer.text
    return token


def has_note(lab: Lab, token: str) -> bool:
    """Whether the site shows a note."""
    return site.fetch(lab, f"/api/notes/{token}").status == 200


def test_a_snapshot_brings_all_machines_back_together(healthy: Lab, machines: dict[str, Machine]) -> None:
    """Earlier notes are there, later ones are gone, clocks are right, databases are equal."""
    before = leave_note(healthy)
    must("lab.snapshot", "before-the-test")
    after = leave_note(healthy)
    must("lab.restore", "before-the-test")
    assert has_note(healthy, before) and not has_note(healthy, after)
    assert wrong(healthy) == []
    for machine in lifecycle.machines(healthy):
        asked = time.time()
        assert asked - 3 < float(machine.run("date +%s.%N").stdout) < time.time() + 3


def test_reset_undoes_whatever_was_done(healthy: Lab, machines: dict[str, Machine]) -> None:
    """A stopped service, an overwritten file, a note, a choice: one command makes the lab clean again."""
    token = leave_note(healthy)
    must("db.durability", "async")
    machines["web1"].run("systemctl stop nginx; echo broken > /etc/nginx/nginx.conf")
    output = must("lab.reset", timeout=300)
    assert "as it was when it was made" in output
    assert wrong(healthy) == []
    assert not has_note(healthy, token)
    assert "durability" not in choices.load().differing()


def test_an_unknown_snapshot_is_refused_with_those_that_exist(lab: Lab) -> None:
    """Exit code 2; nothing is changed."""
    done = invoke("lab.restore", "never-made")
    assert done.returncode == 2
    assert "clean" in done.stderr


def test_data_goes_to_a_file_and_back(healthy: Lab) -> None:
    """The backup has the earlier notes and not the later ones."""
    before = leave_note(healthy)
    path = Path(must("db.backup").strip())
    try:
        after = leave_note(healthy)
        must("db.restore", str(path))
        assert has_note(healthy, before) and not has_note(healthy, after)
        assert path.stat().st_mode & 0o777 == 0o600
    finally:
        path.unlink()


def test_a_cut_off_backup_is_refused(lab: Lab, tmp_path: Path) -> None:
    """An incomplete backup must not replace complete data."""
    path = tmp_path / "half.sql"
    path.write_text("-- MySQL dump 10.13\nDROP TABLE notes;\n")
    done = invoke("db.restore", str(path))
    assert done.returncode == 2
    assert "not a complete backup" in done.stderr
