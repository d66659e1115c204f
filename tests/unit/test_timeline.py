"""timeline.jsonl: what is written can be read, and what was damaged is told."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import timeline
from lab.errors import BadInput
from lab.timeline import Entry, Writer


def test_a_timeline_is_read_in_the_order_of_time(tmp_path: Path) -> None:
    """Several processes write what they saw; whoever reads does not care in which order."""
    late, early = Entry(2.5, "lab", "phase", {"name": "end"}), Entry(1.0, "client", "request", {"token": "ä"})
    timeline.append(tmp_path / "timeline.jsonl", [late])
    timeline.append(tmp_path / "timeline.jsonl", [early])
    assert timeline.read(tmp_path / "timeline.jsonl") == [early, late]


def test_a_line_is_a_flat_object(tmp_path: Path) -> None:
    """Others read the file without this module."""
    timeline.append(tmp_path / "timeline.jsonl", [Entry(1.5, "node", "blind", {"node": "web1", "why": "no answer"})])
    line = (tmp_path / "timeline.jsonl").read_text(encoding="utf-8")
    assert json.loads(line) == {"at": 1.5, "eye": "node", "kind": "blind", "node": "web1", "why": "no answer"}


def test_an_entry_is_in_the_file_once_it_is_written(tmp_path: Path) -> None:
    """Whoever is killed next leaves all that it saw."""
    with Writer(tmp_path / "timeline.jsonl") as writer:
        writer.write(Entry(1.0, "lab", "phase", {"name": "measure"}))
        assert len(timeline.read(tmp_path / "timeline.jsonl")) == 1


def test_threads_share_a_writer(tmp_path: Path) -> None:
    """Lines of several eyes do not mix."""
    entries = [Entry(float(number), "client", "request", {"body": "x" * 9000}) for number in range(100)]
    with Writer(tmp_path / "timeline.jsonl") as writer, ThreadPoolExecutor(8) as pool:
        list(pool.map(writer.write, entries))
    assert timeline.read(tmp_path / "timeline.jsonl") == entries


def test_a_last_line_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    """This is what a killed process leaves."""
    path = tmp_path / "timeline.jsonl"
    path.write_text('{"at": 1, "eye": "lab", "kind": "end"}\n{"at": 2, "ey', encoding="utf-8")
    assert [entry.at for entry in timeline.read(path)] == [1.0]


def test_a_whole_last_line_without_its_end_is_kept(tmp_path: Path) -> None:
    """Somebody's editor took the line end away."""
    path = tmp_path / "timeline.jsonl"
    path.write_text('{"at": 1, "eye": "lab", "kind": "end"}', encoding="utf-8")
    assert len(timeline.read(path)) == 1


def test_broken_lines_are_named(tmp_path: Path) -> None:
    """Every one of them, with its number."""
    lines = [
        '{"at": 1, "eye": "lab", "kind": "end"}',
        "{",
        '{"at": "1", "eye": "lab", "kind": "end"}',
        "[1]",
        '{"at": 1}',
    ]
    path = tmp_path / "timeline.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        timeline.read(path)
    told = caught.value.evidence.splitlines()
    assert [line.split(":")[0] for line in told] == ["- line 2", "- line 3", "- line 4", "- line 5"]
    assert "'at' is not a number" in told[1]


def test_no_timeline_is_bad_input(tmp_path: Path) -> None:
    """The file is named."""
    with pytest.raises(BadInput, match=r"timeline\.jsonl can't be read"):
        timeline.read(tmp_path / "timeline.jsonl")


def test_data_does_not_hide_what_every_entry_has() -> None:
    """A fault's kind is no entry's kind."""
    with pytest.raises(ValueError, match="kind"):
        Entry(1.0, "lab", "inject", {"kind": "power-off"})
