"""timeline.jsonl: entries that were written can be read, and damage is reported."""

import errno
import io
import json
import resource
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lab.analysis import timeline
from lab.analysis.checks.catalogue import verdict
from lab.analysis.history import History
from lab.analysis.timeline import Entry, Writer
from lab.errors import BadInput, InfrastructureBroken


def test_a_timeline_is_read_in_the_order_of_time(tmp_path: Path) -> None:
    """Several processes write their observations; a reader need not care about the order."""
    late, early = Entry(2.5, "lab", "phase", {"name": "end"}), Entry(1.0, "client", "request", {"token": "ä"})
    timeline.append(tmp_path / "timeline.jsonl", [late])
    timeline.append(tmp_path / "timeline.jsonl", [early])
    assert timeline.read(tmp_path / "timeline.jsonl") == [early, late]


def test_a_line_is_a_flat_object(tmp_path: Path) -> None:
    """Other programs read the file without this module."""
    timeline.append(tmp_path / "timeline.jsonl", [Entry(1.5, "node", "blind", {"node": "web1", "why": "no answer"})])
    line = (tmp_path / "timeline.jsonl").read_text(encoding="utf-8")
    assert json.loads(line) == {"at": 1.5, "observer": "node", "kind": "blind", "node": "web1", "why": "no answer"}


def test_an_entry_is_in_the_file_once_it_is_written(tmp_path: Path) -> None:
    """A process that is killed next leaves all its observations."""
    with Writer(tmp_path / "timeline.jsonl") as writer:
        writer.write(Entry(1.0, "lab", "phase", {"name": "measure"}))
        assert len(timeline.read(tmp_path / "timeline.jsonl")) == 1


def test_threads_share_a_writer(tmp_path: Path) -> None:
    """Lines of several observers do not mix."""
    entries = [Entry(float(number), "client", "request", {"body": "x" * 9000}) for number in range(100)]
    with Writer(tmp_path / "timeline.jsonl") as writer, ThreadPoolExecutor(8) as pool:
        list(pool.map(writer.write, entries))
    assert timeline.read(tmp_path / "timeline.jsonl") == entries


def test_the_key_of_format_2_is_read_as_that_of_today(tmp_path: Path) -> None:
    """It was `eye`; an entry that has both keys keeps its own."""
    path = tmp_path / "timeline.jsonl"
    path.write_text('{"at": 1, "eye": "node", "kind": "blind", "node": "web1"}\n', encoding="utf-8")
    assert timeline.read(path) == [Entry(1.0, "node", "blind", {"node": "web1"})]
    both = timeline.entry({"at": 1, "observer": "lab", "kind": "phase", "eye": "left"})
    assert both == Entry(1.0, "lab", "phase", {"eye": "left"})


def test_a_last_line_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    """A killed process leaves such a line."""
    path = tmp_path / "timeline.jsonl"
    path.write_text('{"at": 1, "observer": "lab", "kind": "end"}\n{"at": 2, "ey', encoding="utf-8")
    assert [entry.at for entry in timeline.read(path)] == [1.0]


def test_a_whole_last_line_without_its_end_is_kept(tmp_path: Path) -> None:
    """An editor may have removed the newline."""
    path = tmp_path / "timeline.jsonl"
    path.write_text('{"at": 1, "observer": "lab", "kind": "end"}', encoding="utf-8")
    assert len(timeline.read(path)) == 1


def test_broken_lines_are_named(tmp_path: Path) -> None:
    """Every one of them, with its number."""
    lines = [
        '{"at": 1, "observer": "lab", "kind": "end"}',
        "{",
        '{"at": "1", "observer": "lab", "kind": "end"}',
        "[1]",
        '{"at": 1}',
    ]
    path = tmp_path / "timeline.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        timeline.read(path)
    problems = caught.value.evidence.splitlines()
    assert [line.split(":")[0] for line in problems] == ["- line 2", "- line 3", "- line 4", "- line 5"]
    assert "'at' is not a number" in problems[1]


def test_no_timeline_is_bad_input(tmp_path: Path) -> None:
    """The file is named."""
    with pytest.raises(BadInput, match=r"timeline\.jsonl can't be read"):
        timeline.read(tmp_path / "timeline.jsonl")


class Full(io.FileIO):
    """A file on a disk with only the reserve left: half a line still has room."""

    reserve: Path

    def write(self, data: Any) -> int:
        """Like the kernel: write what has room, then nothing."""
        if not self.reserve.exists():
            return super().write(data)
        if len(data) < 60:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data[:20])


def test_a_full_disk_is_told_and_marks_the_run_as_broken(tmp_path: Path) -> None:
    """The caller goes on and heals; the file has complete lines only, and its run is an error, not a verdict."""
    path = tmp_path / "timeline.jsonl"
    timeline.append(path, [Entry(1.0, "lab", "run", {"name": "x"})])
    writer = Writer(path)
    Full.reserve = tmp_path / "timeline.reserve"
    writer._file = Full(path, "ab")
    for number in range(3):
        writer.write(Entry(2.0 + number, "lab", "phase", {"name": "measure"}))
    with pytest.raises(InfrastructureBroken, match="timeline can't be written") as caught:
        writer.must_be_complete()
    assert "No space left" in str(caught.value) and caught.value.exit_code == 3
    writer.close()
    entries = timeline.read(path)
    assert [it.kind for it in entries] == ["run", "broken"]
    assert (verdict([], History(entries)), Full.reserve.exists()) == ("error", False)


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no such limit here")
def test_an_entry_that_has_no_room_leaves_no_half_line(tmp_path: Path) -> None:
    """With the kernel's own limit of a file's size."""
    path = tmp_path / "timeline.jsonl"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Writer(path) as writer:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        try:
            for at in (1.0, 2.0, 3.0):
                writer.write(Entry(at, "lab", "phase", {"name": "warm-up"}))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert [it.at for it in timeline.read(path)] == [1.0]
    assert [it.kind for it in timeline.read(path)] == ["phase", "broken"]


def test_data_does_not_hide_what_every_entry_has() -> None:
    """A fault's kind is not an entry's kind."""
    with pytest.raises(ValueError, match="kind"):
        Entry(1.0, "lab", "inject", {"kind": "power-off"})
