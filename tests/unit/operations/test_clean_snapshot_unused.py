"""Clean means unused: no notes, no other roles, nobody who logged in before there was a snapshot."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from fabfile.roles import ROLES
from lab.nodes import lifecycle
from lab.operations import clean_snapshot
from tests.support.clean_doubles import CONVERGED, LAB, SYSTEMS, Double, Host, made, refusal
from tests.support.pairs import CLOSED, OPEN

USES: Mapping[str, tuple[Callable[[Host], object], str]] = {
    "notes": (lambda host: setattr(host, "written", 1), "visitors wrote"),
    "promoted": (lambda host: setattr(host, "primary", CLOSED), "web1 alone should be open for writes"),
    "silent": (lambda host: setattr(host, "primary", None), "web1 alone should be open for writes"),
    "ssh": (lambda host: clean_snapshot.touched(), "this lab was in use"),
}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A lab on libvirt that was just made."""
    return made(tmp_path, monkeypatch)


@pytest.mark.parametrize("use", USES)
def test_a_lab_used_before_its_first_snapshot_is_never_kept_as_clean(
    host: Host, use: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """lab.up was interrupted when the site was open: nothing of visitors is deleted, and it stays a used lab."""
    uses, why = USES[use]
    uses(host)
    clean_snapshot.keep(LAB, ROLES, SYSTEMS)
    assert host.events == []
    output = capsys.readouterr().err
    assert f"the clean snapshot of web3 is missing, and {why}" in output and "invoke lab.destroy lab.up" in output
    host.written, host.primary = 0, OPEN
    clean_snapshot.keep(LAB, ROLES, SYSTEMS)
    assert host.events == []
    assert refusal().startswith("there is no clean snapshot to go back to")


def test_a_lab_that_was_just_made_is_asked_over_the_connections_that_there_are(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To open one costs an emulated node time."""
    monkeypatch.setattr(lifecycle, "running", lambda *_: pytest.fail("opens others"))
    machines: list[Any] = [Double(host, node) for node in LAB.nodes]
    clean_snapshot.keep(LAB, ROLES, SYSTEMS, machines)
    assert host.events == ["take"]


def test_who_logs_in_later_changes_no_record(host: Host) -> None:
    """The snapshot is older."""
    clean_snapshot.keep(LAB, ROLES, SYSTEMS)
    clean_snapshot.touched()
    assert clean_snapshot.reset(LAB, ROLES) == []


def test_what_visitors_write_during_a_reset_is_deleted_before_the_new_snapshot(host: Host) -> None:
    """The site is open from the moment when the machines go on."""
    host.chosen = {"durability": "async"}
    clean_snapshot.keep(LAB, ROLES, SYSTEMS)
    host.meanwhile = 2
    host.events.clear()
    clean_snapshot.reset(LAB, ROLES)
    assert host.events == [*CONVERGED[:-1], "delete", "take"]


def test_a_snapshot_in_which_somebody_wrote_is_taken_anew_by_the_next_reset(host: Host) -> None:
    """Between the last look and the snapshot: its record vouches for nothing."""
    host.meanwhile = 1
    clean_snapshot.keep(LAB, ROLES, SYSTEMS)
    host.meanwhile = 0
    assert clean_snapshot.reset(LAB, ROLES) == ["a change"] and host.events == ["take", *CONVERGED]
    assert clean_snapshot.reset(LAB, ROLES) == []


def test_a_snapshot_with_other_roles_is_not_taken_anew(host: Host) -> None:
    """Roles are never turned back; the way out is named."""
    host.chosen = {"durability": "async"}
    clean_snapshot.keep(LAB, ROLES, SYSTEMS)
    host.primary = CLOSED
    host.events.clear()
    assert refusal() == "the clean snapshot is not of a lab as it is made: web1 alone should be open for writes"
    assert host.events == CONVERGED[:-1]
