"""invoke experiment.scale: its files and its answers. The lab is a double."""

import json
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from commands import experiment_scale as command
from lab import topology
from lab.analysis import matrix_results
from lab.experiment import scale
from lab.experiment.scale import Setup
from lab.nodes import vm_power
from lab.plan.scale import Ramp
from lab.state import choices, lock
from lab.state.choices import Choices
from tests.support.scale_stories import measured


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is measured, in a lab of three machines; files go to a folder of the test."""
    names: list[str] = []

    def play(todo: Sequence[Ramp], setup: Setup) -> Iterator[dict[str, Any]]:
        for it in todo:
            names.append(it.name)
            if len(names) == 9:
                raise KeyboardInterrupt
            result = measured(len(it.used)) | {"fingerprint": scale.fingerprint(it.pages_per_s)}
            matrix_results.append(result, setup.path)
            yield result

    lab = topology.load(topology.ROOT / "docs" / "topologies" / "three.yml")
    monkeypatch.setattr(topology, "load", lambda: lab)
    monkeypatch.setattr(lock, "held", lambda: nullcontext(True))
    monkeypatch.setattr(choices, "of_the_user", lambda: None)
    monkeypatch.setattr(choices, "load", Choices)
    monkeypatch.setattr(vm_power, "found", lambda: {"driver": "qemu"})
    monkeypatch.setattr(vm_power, "states", lambda lab: {"web1": "running"})
    monkeypatch.setattr(scale, "fingerprint", lambda pages: f"f{pages}")
    monkeypatch.setattr(scale, "play", play)
    monkeypatch.setattr(command, "FOLDER", tmp_path / "scale")
    for name in ("DOCS_RESULTS", "DOCS_PAGE", "DOCS_PICTURE"):
        monkeypatch.setattr(command, name, tmp_path / getattr(command, name).name)
    (tmp_path / "scale.md").write_text("a\n<!-- table: scale -->\n\n<!-- end -->\nb\n", encoding="utf-8")
    return names


def test_it_measures_all_and_says_what_a_third_server_needs(
    played: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Page and picture are written; docs/ is left alone."""
    command.scale_(Context())
    out, err = capsys.readouterr()
    assert played == ["scale-1", "scale-2"] and "four.yml" in err and "2.00 times one server" in out
    assert {it.name for it in (tmp_path / "scale").iterdir()} == {"results.jsonl", "scale.html", "scale.svg"}
    assert not (tmp_path / "scale.jsonl").exists()


def test_what_is_measured_is_not_measured_again(played: list[str], tmp_path: Path) -> None:
    """Another limit is; --again puts the results aside and begins anew."""
    command.scale_(Context(), servers="2")
    command.scale_(Context())
    command.scale_(Context(), servers="1", pages_per_s=8)
    assert played == ["scale-2", "scale-1", "scale-1"]
    command.scale_(Context(), servers="1", again=True)
    assert played[3:] == ["scale-1"] and len(list((tmp_path / "scale").glob("results-until-*"))) == 1


def test_scripts_get_json_alone(played: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """On stdout."""
    command.scale_(Context(), servers="1,2", json=True)
    said = json.loads(capsys.readouterr().out)
    assert [it["servers"] for it in said["results"]] == [["web1"], ["web1", "web2"]]


def test_docs_are_written_on_request(played: list[str], tmp_path: Path) -> None:
    """Results, table and plot."""
    command.scale_(Context(), docs=True)
    assert "| 2 servers |" in (tmp_path / "scale.md").read_text(encoding="utf-8")
    assert len(command.published(tmp_path / "scale.jsonl")) == 2 and (tmp_path / "scale.svg").exists()


def test_an_interruption_shows_what_is_measured(
    played: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 130; half of the results do not replace those of docs/."""
    played += [""] * 7
    with pytest.raises(Exit) as ending:
        command.scale_(Context(), docs=True)
    assert ending.value.code == 130 and "1 server: at most" in capsys.readouterr().out
    assert not (tmp_path / "scale.jsonl").exists()


def test_more_servers_than_there_are_are_refused(played: list[str]) -> None:
    """Exit 2, before anything is measured."""
    with pytest.raises(Exit) as ending:
        command.scale_(Context(), servers="3")
    assert ending.value.code == 2 and played == []
