"""invoke experiment.spof: its questions, its files and its answers. The lab is a double."""

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from commands import experiment_spof as command
from lab import topology
from lab.analysis import matrix_results
from lab.analysis.spof import UNKNOWN
from lab.errors import LabNotUp
from lab.experiment import spof
from lab.experiment.spof import Setup
from lab.nodes import vm_power
from lab.plan.spof import Component, components
from lab.state import choices, lock
from lab.state.choices import Choices
from tests.support.spof_stories import result


class Terminal(io.StringIO):
    """A user who types these lines."""

    def isatty(self) -> bool:
        """A person sits there."""
        return True


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the results, and a lab in which writes fail whatever dies."""

    def play(todo: Sequence[Component], setup: Setup) -> Iterator[dict[str, Any]]:
        for it in todo:
            setup.begin(it.name)
            if [it.name for it in todo] == ["lb1-dnsmasq"]:
                raise KeyboardInterrupt
            made = result(it.name, ["writes"], fingerprint=spof.fingerprint(), predicted=setup.predicted.get(it.name))
            matrix_results.append(made, setup.path)
            yield made
            if it.name == "web1-php-fpm":
                raise KeyboardInterrupt

    monkeypatch.setattr(lock, "held", lambda: nullcontext(True))
    monkeypatch.setattr(choices, "of_the_user", lambda: None)
    monkeypatch.setattr(choices, "load", Choices)
    monkeypatch.setattr(vm_power, "found", lambda: {"driver": "qemu"})
    monkeypatch.setattr(vm_power, "states", lambda lab: {"web1": "running"})
    monkeypatch.setattr(spof, "fingerprint", lambda: "f")
    monkeypatch.setattr(spof, "play", play)
    monkeypatch.setattr(command, "FOLDER", tmp_path / "spof")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    for name in ("DOCS_RESULTS", "DOCS_PAGE", "DOCS_PICTURE"):
        monkeypatch.setattr(command, name, tmp_path / getattr(command, name).name)
    (tmp_path / "spof.md").write_text("a\n<!-- table: spof -->\n\n<!-- end -->\nb\n", encoding="utf-8")
    return tmp_path


def results(folder: Path) -> dict[str, Any]:
    """The saved results: what was predicted of each component."""
    return {it["name"]: it["predicted"] for it in matrix_results.load(folder / "spof" / "results.jsonl")}


def test_without_a_terminal_nothing_is_asked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says that there is no prediction, and goes on; page and picture are written."""
    command.spof_(Context(), only="nginx")
    out, err = capsys.readouterr()
    assert "no prediction for web1-nginx, web2-nginx" in err
    assert results(folder) == {"web1-nginx": None, "web2-nginx": None}
    assert "web2-nginx" in out and (folder / "spof" / "spof.html").exists()
    assert "✗ writes" in (folder / "spof" / "spof.svg").read_text(encoding="utf-8")


def test_what_is_measured_is_not_measured_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its result is shown; --again puts it aside and begins anew, and leaves the others."""
    command.spof_(Context(), only="web1")
    command.spof_(Context(), only="web1,web2")
    assert list(results(folder)) == ["web1", "web2"]
    command.spof_(Context(), only="web2", again=True, predict="web2=writes")
    assert results(folder) == {"web1": None, "web2": ["writes"]}
    (old,) = (folder / "spof").glob("results-until-*.jsonl")
    assert [it["name"] for it in matrix_results.load(old)] == ["web1", "web2"]


def test_predictions_of_the_option_are_stored_and_judged(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And shown for scripts; nothing else is on stdout."""
    command.spof_(Context(), only="web1,web2", predict="web1=writes web2=reads", json=True)
    said = json.loads(capsys.readouterr().out)
    assert results(folder) == {"web1": ["writes"], "web2": ["reads"]}
    assert said["predictions"] == {"right": 4, "of": 6}


def test_a_user_is_asked_before_the_measurement(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for each component, again after a mistake; '?' and the end of the input are no prediction."""
    monkeypatch.setattr("sys.stdin", Terminal("wirtes\nwrites\n?\nnone\n"))
    command.spof_(Context(), only="lb1,web1,web2,haproxy")
    assert results(folder) == {"lb1": ["writes"], "lb1-haproxy": None, "web1": [], "web2": None}
    assert "did you mean writes?" in capsys.readouterr().err


def test_a_prediction_outlives_an_interruption(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is measured is shown, and the next time only the rest is measured, with its prediction."""
    with pytest.raises(Exit) as ending:
        command.spof_(Context(), only="php-fpm", predict="web2-php-fpm=all")
    assert ending.value.code == 130 and "goes on" in str(ending.value.message)
    assert "web1-php-fpm" in capsys.readouterr().out
    command.spof_(Context(), only="php-fpm")
    assert results(folder) == {"web1-php-fpm": None, "web2-php-fpm": ["reads", "writes", "names"]}


def test_what_was_begun_is_not_predicted_any_more(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run has shown what fails, though it left no result; --again begins anew."""
    with pytest.raises(Exit):
        command.spof_(Context(), only="dnsmasq", predict="lb1-dnsmasq=none")
    stored = (folder / "spof" / "predictions.json").read_text(encoding="utf-8")
    monkeypatch.setattr("sys.stdin", Terminal("all\n"))
    with pytest.raises(Exit) as ending:
        command.spof_(Context(), only="dnsmasq", predict="lb1-dnsmasq=names")
    assert ending.value.code == 2
    assert (folder / "spof" / "predictions.json").read_text(encoding="utf-8") == stored
    with pytest.raises(Exit) as ending:
        command.spof_(Context(), only="dnsmasq", predict="lb1-dnsmasq=names", again=True)
    assert ending.value.code == 130


def test_who_predicted_nothing_is_not_asked_after_the_fact(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question comes before the first run of a component alone."""
    for _ in range(2):
        with pytest.raises(Exit):
            command.spof_(Context(), only="dnsmasq")
        monkeypatch.setattr("sys.stdin", Terminal("all\n"))
        assert "Your prediction" not in capsys.readouterr().err


def test_a_prediction_is_for_one_setting(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another durability something else may fail: it has to be predicted anew."""
    command.spof_(Context(), only="web1", predict="web1=writes web2=writes")
    monkeypatch.setattr(spof, "fingerprint", lambda: "another")
    command.spof_(Context(), only="web2")
    assert results(folder) == {"web1": ["writes"], "web2": None}


def test_a_refusal_leaves_no_page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab that is not healthy before the first component: exit 3."""

    def refuse(*_: object) -> Iterator[dict[str, Any]]:
        raise LabNotUp("the lab is not healthy", hint="invoke lab.reset")
        yield {}

    monkeypatch.setattr(spof, "play", refuse)
    with pytest.raises(Exit) as ending:
        command.spof_(Context(), only="web1")
    assert ending.value.code == 3 and not (folder / "spof" / "spof.html").exists()


def test_docs_are_written_on_request_when_everything_is_measured(folder: Path) -> None:
    """Results, table and picture, of which the page of docs/ is made; a part of them would mislead."""
    command.spof_(Context(), only="web1", docs=True)
    assert not (folder / "spof.jsonl").exists() and not (folder / "spof.svg").exists()
    with pytest.raises(Exit):  # interrupted once
        command.spof_(Context())
    command.spof_(Context(), docs=True)
    assert "| web1 |" in (folder / "spof.md").read_text(encoding="utf-8")
    names = [it.name for it in components(topology.load())]
    assert sorted(command.published(folder / "spof.jsonl")) == sorted(names)
    assert "✗ writes" in (folder / "spof.svg").read_text(encoding="utf-8")


def test_a_component_of_which_too_little_was_seen_is_measured_again(folder: Path) -> None:
    """Exit code 4 as long as one is left."""
    unsure = result("web1", verdict=UNKNOWN)
    (folder / "spof").mkdir()
    matrix_results.append(unsure, folder / "spof" / "results.jsonl")
    command.spof_(Context(), only="web1")
    verdicts = [it["verdict"] for it in matrix_results.load(folder / "spof" / "results.jsonl")]
    assert verdicts == [UNKNOWN, ""]
    matrix_results.append(result("web2", verdict=UNKNOWN), folder / "spof" / "results.jsonl")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spof, "play", lambda *_: iter(()))
        with pytest.raises(Exit) as ending:
            command.spof_(Context(), only="web1,web2")
    assert ending.value.code == 4
