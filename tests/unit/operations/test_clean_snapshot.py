"""The clean snapshot: taken when, of what, and when it is brought up to date."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from fabfile.roles import ROLES
from lab.errors import CheckFailed
from lab.mysql import last_seen
from lab.nodes import vm_power
from lab.operations import clean_snapshot, snapshots
from lab.state.choices import Choices
from lab.topology import Lab
from tests.support.clean_doubles import CONVERGED, LAB, SYSTEMS, Host, made, refusal
from tests.support.pairs import OPEN


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A lab on libvirt that was just made."""
    return made(tmp_path, monkeypatch)


def test_a_clean_lab_comes_back_without_a_converge(host: Host) -> None:
    """The snapshot is of the configuration that is wanted: nothing else is to do."""
    clean_snapshot.keep(LAB, ROLES, SYSTEMS)
    assert clean_snapshot.reset(LAB, ROLES) == []
    assert host.events == ["take", "put back", "healthy"]


def test_a_snapshot_is_taken_once(host: Host) -> None:
    """lab.up on a lab in use does not keep it as clean."""
    clean_snapshot.keep(LAB, ROLES, SYSTEMS)
    clean_snapshot.keep(LAB, ROLES, SYSTEMS)
    assert host.events == ["take"]


def test_a_snapshot_of_a_user_comes_back_with_the_choices_of_today(host: Host) -> None:
    """Its commits may have been asynchronous, or its protections taken away; the lab would say that it is durable."""
    assert clean_snapshot.put_back(LAB, ROLES, "mine") == ["a change"]
    assert host.events[-3:] == ["put back", "converge", "healthy"]


def test_choices_that_are_wrong_put_no_machine_back(host: Host) -> None:
    """They are needed for the converge that follows, and then it would be too late."""
    host.chosen = {"weights": {"web1": 300}}
    with pytest.raises(ValidationError):
        clean_snapshot.put_back(LAB, ROLES, "mine")
    assert host.events == []


@pytest.mark.parametrize(
    "chosen", [{"durability": "async"}, {"mode": "active-passive"}, {"weights": {"web1": 50}}], ids=str
)
def test_a_snapshot_taken_under_choices_is_converged(host: Host, chosen: Mapping[str, Any]) -> None:
    """Choices survive lab.destroy, so the next lab is made with them; reset means without."""
    host.chosen = {"provider": "libvirt", "box": "local", **chosen}
    clean_snapshot.keep(LAB, ROLES, SYSTEMS)
    assert clean_snapshot.reset(LAB, ROLES) == ["a change"]
    assert host.events == ["take", *CONVERGED]
    assert host.chosen == {"provider": "libvirt", "box": "local"}
    assert clean_snapshot.reset(LAB, ROLES) == [], "the second snapshot is of a lab without choices"


def test_choosing_what_holds_anyway_or_a_machine_is_no_other_configuration(host: Host) -> None:
    """durable is the default; provider and box say what the machines are."""
    host.chosen = {"provider": "libvirt", "box": "local", "durability": "durable"}
    clean_snapshot.keep(LAB, ROLES, SYSTEMS)
    assert clean_snapshot.reset(LAB, ROLES) == []


def test_the_snapshot_of_an_earlier_version_stays_clean(host: Host) -> None:
    """Its hash was made of the durability, chosen or not, and of what else was chosen."""
    assert clean_snapshot.hashed(Choices(box="local")) == {"durability": "durable"}
    assert clean_snapshot.hashed(Choices(mode="active-passive", without=("retries",))) == {
        "durability": "durable",
        "mode": "active-passive",
        "without": ["retries"],
    }


def test_another_box_is_another_configuration(host: Host) -> None:
    """A snapshot of the old one's packages would not be how the lab is made today."""
    before = clean_snapshot.configuration(LAB, ROLES, SYSTEMS, Choices())
    vm_power.FOUND.write_text("provider: libvirt\nbox: weblab/debian-13-cba987654321\n")
    assert clean_snapshot.configuration(LAB, ROLES, SYSTEMS, Choices()) != before


def test_a_snapshot_of_other_nodes_is_converged_before_the_lab_is_waited_for(host: Host) -> None:
    """Its balancer names a node that lab.yml has no more: the lab would never be healthy."""
    more = replace(LAB, nodes=(*LAB.nodes, replace(LAB.node("web2"), name="web3", ip=IPv4Address("192.168.56.13"))))
    systems = {**SYSTEMS, "web3": SYSTEMS["web2"]}
    clean_snapshot.keep(more, ROLES, systems)
    assert clean_snapshot.reset(LAB, ROLES) == ["a change"]
    assert host.events == ["take", *CONVERGED]
    assert clean_snapshot.reset(LAB, ROLES) == [], "the second snapshot is of the nodes that there are"


def test_a_reset_that_was_interrupted_is_completed_by_the_next(host: Host) -> None:
    """Ctrl-C between the new snapshot and its record: the old record must not vouch for the new snapshot."""
    host.chosen = {"durability": "async"}
    clean_snapshot.keep(LAB, ROLES, SYSTEMS)
    before = clean_snapshot.RECORD.read_text()
    interrupted(host, lambda lab: clean_snapshot.reset(lab, ROLES))
    assert clean_snapshot.RECORD.read_text() != before
    host.events.clear()
    assert clean_snapshot.reset(LAB, ROLES) == ["a change"] and host.events == CONVERGED
    assert clean_snapshot.reset(LAB, ROLES) == []


def test_a_first_snapshot_that_was_interrupted_is_brought_up_to_date(host: Host) -> None:
    """It is there and its record is not: nobody vouches for its configuration."""
    interrupted(host, lambda lab: clean_snapshot.keep(lab, ROLES, SYSTEMS))
    assert clean_snapshot.reset(LAB, ROLES) == ["a change"] and host.events == ["take", *CONVERGED]


def test_a_first_snapshot_that_was_never_taken_is_taken_by_the_next_lab_up(host: Host) -> None:
    """The lab is still being made: machines that run already are of the command before."""
    clean_snapshot.begin(LAB)
    clean_snapshot.keep(LAB, ROLES, SYSTEMS)
    assert clean_snapshot.reset(LAB, ROLES) == []


def interrupted(host: Host, do: Callable[[Lab], object]) -> None:
    """Ctrl-C just after a snapshot was taken."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    host.interrupt = interrupt
    with pytest.raises(KeyboardInterrupt):
        do(LAB)
    host.interrupt = lambda: None


def test_a_used_lab_is_never_kept_as_clean(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody removed the snapshot, or a node was added: notes and what was done by hand are no part of clean."""
    clean_snapshot.keep(LAB, ROLES, SYSTEMS)
    host.names = []
    clean_snapshot.begin(LAB)
    clean_snapshot.keep(LAB, ROLES, SYSTEMS)
    output = capsys.readouterr().err
    assert "the clean snapshot of web3 is missing" in output and "invoke lab.destroy lab.up" in output
    assert host.events == ["take"]
    assert refusal() == "there is no clean snapshot to go back to: the clean snapshot of web3 is missing"


@pytest.mark.parametrize("text", ["", "[", "configuration: 1\n", "configuration: 1\nsystems: x\n", "word"])
def test_a_damaged_record_is_none(host: Host, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody knows of what the snapshot is; lab.up says so too, and takes none of the lab as it is now."""
    clean_snapshot.keep(LAB, ROLES, SYSTEMS)
    clean_snapshot.RECORD.write_text(text)
    assert refusal().endswith("the clean snapshot's record is missing")
    clean_snapshot.keep(LAB, ROLES, SYSTEMS)
    assert host.events == ["take"] and "record is missing" in capsys.readouterr().err


def test_a_lab_that_is_made_anew_gets_a_snapshot_of_its_own(host: Host) -> None:
    """Another checkout swept the machines: the old record and what is remembered of the databases are void."""
    clean_snapshot.keep(LAB, ROLES, SYSTEMS)
    last_seen.remember(1.0, [OPEN])
    host.names, host.power = [], "absent"
    clean_snapshot.begin(LAB)
    host.power = "running"
    assert last_seen.recall() is None
    clean_snapshot.keep(LAB, ROLES, SYSTEMS)
    assert clean_snapshot.reset(LAB, ROLES) == []


def test_a_provider_without_snapshots_is_named_with_what_to_do(host: Host) -> None:
    """Choices stay as they are: nothing was put back."""
    vm_power.FOUND.write_text("provider: virtualbox\nbox: bento/ubuntu-24.04\n")
    host.chosen = {"durability": "async"}
    clean_snapshot.keep(LAB, ROLES, SYSTEMS)
    with pytest.raises(CheckFailed, match="no snapshots with virtualbox") as caught:
        clean_snapshot.reset(LAB, ROLES)
    assert "invoke lab.provision" in caught.value.hint and "invoke lab.destroy lab.up" in caught.value.hint
    assert host.events == [] and host.chosen == {"durability": "async"}


def added(**changes: Any) -> Lab:
    """The lab with a third server."""
    web3 = replace(LAB.node("web2"), name="web3", ip=IPv4Address("192.168.56.13"), **changes)
    return replace(LAB, nodes=(*LAB.nodes, web3))


def test_a_web_server_that_came_later_is_reset_by_a_converge(
    host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has no snapshot and no data: the others go back, and the new snapshot is of all."""
    clean_snapshot.keep(LAB, ROLES, SYSTEMS)
    lab = added(roles=("web",))
    monkeypatch.setattr(snapshots, "names", lambda lab: ["clean"] if lab.nodes == LAB.nodes else [])
    clean_snapshot.keep(lab, ROLES, {**SYSTEMS, "web3": SYSTEMS["web2"]})
    assert host.events == ["take"] and "missing" not in capsys.readouterr().err
    assert clean_snapshot.reset(lab, ROLES) == ["a change"] and host.events == ["take", *CONVERGED]
    assert host.restored == [node.name for node in LAB.nodes]


def test_a_web_server_that_went_and_came_back_is_reset_by_a_converge(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record still names it; its machine is another one, which has no snapshot."""
    lab = added(roles=("web",))
    clean_snapshot.keep(lab, ROLES, {**SYSTEMS, "web3": SYSTEMS["web2"]})
    monkeypatch.setattr(snapshots, "names", lambda lab: ["clean"] if lab.nodes == LAB.nodes else [])
    monkeypatch.setattr(snapshots, "lacking", lambda lab, name: ["web3"] if len(lab.nodes) > 3 else [])
    assert clean_snapshot.reset(lab, ROLES) == ["a change"] and host.events == ["take", *CONVERGED]
    assert host.restored == [node.name for node in LAB.nodes]


@pytest.mark.parametrize("state", ["absent", "off"])
def test_a_web_server_that_does_not_run_yet_stops_a_reset_before_anything_is_changed(host: Host, state: str) -> None:
    """lab.yml was edited and lab.up did not follow: the new snapshot could not be taken."""
    clean_snapshot.keep(LAB, ROLES, SYSTEMS)
    host.chosen, host.off = {"durability": "async"}, {"web3": state}
    with pytest.raises(CheckFailed, match="web3") as caught:
        clean_snapshot.reset(added(roles=("web",)), ROLES)
    assert "invoke lab.up" in caught.value.hint
    assert host.events == ["take"] and host.chosen == {"durability": "async"}


def test_a_database_that_came_later_needs_a_snapshot(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its data would be newer than that of the others."""
    clean_snapshot.keep(LAB, ROLES, SYSTEMS)
    lab = added(roles=("database",))
    monkeypatch.setattr(snapshots, "names", lambda lab: [] if len(lab.nodes) > 3 else ["clean"])
    monkeypatch.setattr(snapshots, "lacking", lambda lab, name: ["web3"])
    with pytest.raises(CheckFailed, match="the clean snapshot of web3 is missing"):
        clean_snapshot.reset(lab, ROLES)
