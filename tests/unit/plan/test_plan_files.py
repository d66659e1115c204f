"""The folder of experiments: what is not one there is named, or is none of anybody's business."""

import re
import subprocess
from functools import partial
from pathlib import Path

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from commands import experiment, experiment_list
from lab import topology
from lab.errors import BadInput
from lab.plan import experiment_file
from tests.support.stories import shipped

LAB = topology.load()
RIGHT = "title: t\nquestion: q\nexpect: [{check: failed-gets, at_most: 0}]\n"


def test_a_file_that_is_not_utf_8_is_refused_with_its_name_and_line(tmp_path: Path) -> None:
    """An umlaut in Latin-1 is the usual one."""
    path = tmp_path / "old.yml"
    path.write_bytes(RIGHT.replace("question: q", "question: größer?").encode("latin-1"))
    with pytest.raises(BadInput, match=r"old\.yml is not UTF-8 text \(line 2\)\nnext: save it as UTF-8"):
        experiment_file.load(path, LAB)


def test_what_editors_and_systems_leave_beside_the_files_is_no_experiment(tmp_path: Path) -> None:
    """A lock that points nowhere, a file of macOS, a folder."""
    (tmp_path / "cut.yml").write_text(RIGHT, encoding="utf-8")
    (tmp_path / ".#cut.yml").symlink_to("somebody@somewhere.1")
    (tmp_path / "._cut.yml").write_bytes(b"\x00\x05\x16\x07")
    (tmp_path / "folder.yml").mkdir()
    assert [it.name for it in experiment_file.named(LAB, tmp_path)] == ["cut"]


def test_an_experiment_is_found_by_its_name_whatever_folder_it_is_in(tmp_path: Path) -> None:
    """Two of the same name are refused: nobody could tell which one ran."""
    for folder in ("web", "failover/late", ".hidden"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "web" / "slow.yml").write_text(RIGHT, encoding="utf-8")
    (tmp_path / ".hidden" / "gone.yml").write_text(RIGHT, encoding="utf-8")
    (tmp_path / "failover" / "late" / "cut.yml").write_text(RIGHT, encoding="utf-8")
    assert [it.name for it in experiment_file.named(LAB, tmp_path)] == ["cut", "slow"]
    assert experiment_file.find("cut", LAB, tmp_path).name == "cut"
    (tmp_path / "cut.yml").write_text(RIGHT, encoding="utf-8")
    for look in (lambda: experiment_file.find("cut", LAB, tmp_path), lambda: experiment_file.named(LAB, tmp_path)):
        with pytest.raises(BadInput, match=r"(?s)several files are called cut\.yml.*late/cut\.yml"):
            look()
    assert experiment_file.find("slow", LAB, tmp_path).name == "slow"


@pytest.fixture
def drafts(tmp_path: Path) -> Path:
    """A folder with one experiment that is right and two that are not."""
    (tmp_path / "cut.yml").write_text(RIGHT, encoding="utf-8")
    (tmp_path / "a-draft.yml").write_text(f"{RIGHT}measure_s: long\n", encoding="utf-8")
    (tmp_path / "b-draft.yml").write_text(f"{RIGHT}seed: -1\n", encoding="utf-8")
    return tmp_path


def test_the_mistakes_of_all_files_are_told_at_once(drafts: Path) -> None:
    """Each with its own file and line."""
    with pytest.raises(BadInput, match=r"(?s)2 files have mistakes.*a-draft\.yml: line 4.*b-draft\.yml: line 4"):
        experiment_file.named(LAB, drafts)


def test_a_broken_draft_hides_no_other_experiment(
    drafts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The list has those that can be run, and then says what is wrong; exit code 2."""
    monkeypatch.setattr(experiment_file, "read", partial(experiment_file.read, folder=drafts))
    with pytest.raises(Exit, match="2 files have mistakes") as ending:
        experiment.list_(Context(), all=True)
    listed = capsys.readouterr().out
    assert re.search(r"^  cut +\d+ min +t$", listed, re.MULTILINE) and "draft" not in listed
    assert ending.value.code == 2


def test_a_file_with_another_ending_is_told_its_right_name(drafts: Path) -> None:
    """It is not left out without a word."""
    (drafts / "my-cut.yaml").write_text(RIGHT, encoding="utf-8")
    with pytest.raises(BadInput, match=r"3 files have mistakes\n +my-cut\.yaml must be called my-cut\.yml"):
        experiment_file.named(LAB, drafts)
    for name in ("my-cut", "my-cut.yaml", "experiments/my-cut.yaml"):
        with pytest.raises(BadInput, match=r"my-cut\.yaml must be called my-cut\.yml"):
            experiment_file.find(name, LAB, drafts)


@pytest.mark.parametrize("name", ["experiments/cut.yml", "cut.yml", "cut.yaml"])
def test_a_name_that_a_shell_completed_is_answered_with_the_experiments(drafts: Path, name: str) -> None:
    """People have a folder before their eyes, and commands take names."""
    with pytest.raises(BadInput, match=r"did you mean cut\?"):
        experiment_file.find(name, LAB, drafts)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps:\n\t- {at: 1}", r"(?s)in draft\.yml, line 5.*next: indent with spaces: line 5 of draft\.yml"),
        ("steps:\n\u00a0 - {at: 1, command: x}", "next: indent with spaces: line 5"),
        ("steps:\n\u00a0 - {at: 1}", r"line 5: .*; indent with spaces: it has a no-break space"),
        ("without: What happens: who notices?", r"(?s)in draft\.yml, line 4.*a text that has ': ' in it in quotes"),
        ("load: &a\n  rate: *a", r"draft\.yml: the value in line 4 contains itself"),
        ("seed: 2026-02-30", r"draft\.yml is not YAML\n +day"),
        ("- title: t", r"draft\.yml is not YAML"),
        ("load:\n  rate: 5\n seed: 2", r"line 6 begins in column 2, line 5 in column 3"),
        ("seed: 2\n  settle_s: 20", r"line 5 begins in column 3, line 4 in column 1"),
        ("steps:\n  - {at: 1}\n - {at: 2}", r"check the indentation: line 6 begins in column 2"),
        ("without: @all", r"put the text in line 4 in quotes"),
        ("without: [a\nseed: 1", r"line 4 opens a bracket that is not closed"),
        ("question: 'who", r"line 4 opens a quote that is not closed"),
        ("seed: 1\nwithout\nsettle_s: 20", r"no 'name: value'"),
    ],
)
def test_what_is_not_yaml_is_told_with_what_to_do(text: str, message: str) -> None:
    """By the file's name, not by the parser's word for a text."""
    with pytest.raises(BadInput, match=message):
        experiment_file.parse("draft", f"{RIGHT}{text}\n", LAB)


@pytest.mark.parametrize(("text", "what"), [("- title: t\n", "a list"), ("title\n", "a text")])
def test_a_file_without_settings_is_told_how_one_begins(text: str, what: str) -> None:
    """It is not shown its whole content as a value."""
    with pytest.raises(BadInput, match=f"must begin with settings like title:, not with {what}"):
        experiment_file.parse("draft", text, LAB)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rate: 5", r"rate: is not a setting of an experiment; it is a setting of 'load': indent it below 'load:'"),
        ("load:\n  settle_s: 20", r"load\.settle_s: .*; it is a setting of an experiment: indent it less"),
        ("load:\nseed: 2", r"load: must be a group of settings, each 'name: value' \(it is empty\)"),
    ],
)
def test_wrong_indentation_that_is_yaml_is_told_as_such(text: str, message: str) -> None:
    """The setting is a right one in another place."""
    with pytest.raises(BadInput, match=message):
        experiment_file.parse("draft", f"{RIGHT}{text}\n", LAB)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["without a mark", "with a byte order mark"])
def test_an_experiment_that_was_saved_on_windows_is_the_same(tmp_path: Path, mark: bytes) -> None:
    """And a run keeps its text with the line ends of this system."""
    (tmp_path / "cut.yml").write_bytes(mark + RIGHT.replace("\n", "\r\n").encode())
    plan = experiment_file.load(tmp_path / "cut.yml", LAB)
    assert plan == experiment_file.parse("cut", RIGHT, LAB) and plan.text == RIGHT


def test_a_check_is_named_by_what_it_looks_at(drafts: Path) -> None:
    """Reads are GETs in this check's name: the likeliest name comes first, and where all of them are explained."""
    with pytest.raises(BadInput, match=r"did you mean failed-gets or .*invoke experiment\.checks"):
        experiment_file.parse("draft", RIGHT.replace("failed-gets", "failed-reads"), LAB)


def test_what_a_user_adds_is_not_one_of_the_shipped_experiments(tmp_path: Path) -> None:
    """Finished or not: the project's own checks are about those that git knows."""
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "cut.yml").write_text(RIGHT, encoding="utf-8")
    for words in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    (tmp_path / "experiments" / "my-cut.yml").write_text(RIGHT, encoding="utf-8")
    (tmp_path / "experiments" / "draft.yml").write_text("title: 1\n", encoding="utf-8")
    assert [it.name for it in shipped(LAB, tmp_path)] == ["cut"]


def test_experiments_for_other_nodes_are_no_mistakes(tmp_path: Path) -> None:
    """In a lab with other nodes they are counted, not listed as wrong; a draft is wrong everywhere."""
    five = topology.load(topology.ROOT / "docs" / "topologies" / "five.yml")
    for name, node in (("old", "web1"), ("new", "db1")):
        step = f"- {{at: 1, inject: {{kind: service-kill, node: {node}, service: mysql}}}}"
        (tmp_path / f"{name}.yml").write_text(f"{RIGHT}steps:\n  {step}\n", encoding="utf-8")
    plans, wrong = experiment_file.read(five, tmp_path)
    assert ([plan.name for plan in plans], wrong) == (["new"], None)
    assert experiment_file.for_other_nodes(plans, tmp_path) == ["old"]
    assert "1 more are for other nodes" in experiment_list.listing(plans, ["old"])
    (tmp_path / "draft.yml").write_text(f"{RIGHT}seed: -1\n", encoding="utf-8")
    assert experiment_file.read(five, tmp_path)[1] is not None
