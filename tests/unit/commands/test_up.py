"""invoke lab.up and lab.destroy: what they say in the end. Host, machines and site are doubles."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from commands import lab as commands
from host.ownership import uninstall_hints
from lab.errors import CheckFailed
from lab.injection import inject_and_heal
from lab.nodes import lifecycle, site, vm_power
from lab.operations import clean_snapshot, converge, membership, welcome
from lab.operations.converge import Outcome
from lab.state import lock

DOWN = "the lab is not up: not everything is as it should be"


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A lab that boots, converges and shows its page; what is done in the end."""
    ends: list[str] = []
    monkeypatch.setattr(lock, "held", nullcontext)
    for owner, name in (
        (clean_snapshot, "begin"),
        (lifecycle, "boot"),
        (inject_and_heal, "heal_all"),
        (site, "first_page"),
    ):
        monkeypatch.setattr(owner, name, lambda *_: None)
    for name in ("prepare", "booted", "remove"):
        monkeypatch.setattr(commands, name, lambda *_, **__: None)
    monkeypatch.setattr(clean_snapshot, "keep", lambda *_: ends.append("keeps the clean snapshot"))
    monkeypatch.setattr(clean_snapshot, "RECORD", tmp_path / "clean.yml")
    monkeypatch.setattr(welcome, "text", lambda *_: "The lab is up")
    return ends


def comes(monkeypatch: pytest.MonkeyPatch, off: Sequence[str], *, wrong: bool) -> None:
    """How far the lab comes: nodes that are off after the converge, and whether something is wrong then."""

    def must_be_up(*_: object, **__: object) -> None:
        if wrong:
            raise CheckFailed(DOWN)

    monkeypatch.setattr(converge, "everything", lambda *_: Outcome([], {}, list(off)))
    monkeypatch.setattr(commands, "must_be_up", must_be_up)


@pytest.mark.parametrize(("node", "off"), [("", ()), ("web2", ("lb1",))], ids=["the lab", "one node"])
def test_nothing_is_called_up_while_something_is_wrong(
    done: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    node: str,
    off: Sequence[str],
) -> None:
    """Exit code 1, no word of 'up', and no snapshot of such a lab."""
    comes(monkeypatch, off, wrong=True)
    with pytest.raises(Exit, match=DOWN) as ending:
        commands.up(Context(), node=node)
    assert (ending.value.code, capsys.readouterr().out, done) == (1, "", [])
    comes(monkeypatch, off, wrong=False)
    commands.up(Context(), node=node)
    output = capsys.readouterr().out
    assert output == ("web2 is up; not running: lb1\n" if node else "The lab is up\n")
    assert done == ([] if node else ["keeps the clean snapshot"])
    assert membership.DATABASES.read_text().split() == ["web1", "web2"]


def test_provision_refuses_a_lab_yml_that_lacks_a_database_and_destroy_is_the_way_out(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As lab.up does; a dry run changes nothing, so it shows what differs."""
    comes(monkeypatch, [], wrong=False)
    monkeypatch.setattr(converge, "everything", lambda *_, **__: Outcome([], {}, []))
    monkeypatch.setattr(vm_power, "states", lambda lab: {node.name: "running" for node in lab.nodes})
    monkeypatch.setattr(vm_power, "strangers", lambda lab: ["web9"])
    membership.DATABASES.write_text("web1\nweb9\n")
    with pytest.raises(Exit, match="no database on web9"):
        commands.provision(Context())
    commands.provision(Context(), dry_run=True)
    commands.destroy(Context())
    assert not membership.DATABASES.exists()


@pytest.mark.parametrize("host", [True, False])
def test_what_stays_is_told_where_everything_was_to_go(
    done: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], host: bool
) -> None:
    """With the box of lab.yml."""
    monkeypatch.setattr(uninstall_hints, "listed", lambda checkout, box: [f"{checkout.name} {box}"])
    commands.destroy(Context(), host=host)
    output = capsys.readouterr().out
    assert output.startswith("the lab is gone; what stays:\n" if host else "the lab is gone\n")
    assert ("bento/ubuntu-24.04" in output) == host
