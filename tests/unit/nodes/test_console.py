"""The output of a serial console, in files that virtlogd rotates."""

from pathlib import Path

import pytest

from lab import topology
from lab.nodes import console

WEB1 = topology.load().node("web1")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which libvirt keeps them."""
    monkeypatch.setattr(console, "FOLDER", tmp_path)
    return tmp_path


def test_what_was_turned_over_is_read_too_and_first(folder: Path) -> None:
    """A promotion looks for the line of the last opening, and kernel messages may have filled a file since."""
    for ending, text in (("", "now\n\n"), (".0", "before\n"), (".1", "long ago\n")):
        (folder / f"weblab_web1.console{ending}").write_text(text, encoding="utf-8")
    assert console.text(WEB1) == "long ago\nbefore\nnow\n\n"
    assert console.last_lines(WEB1, 2) == "before\nnow"


def test_nobody_knows_what_can_not_be_read(folder: Path) -> None:
    """A console without output is different."""
    assert console.text(WEB1) is None and console.last_lines(WEB1) == ""
    (folder / "weblab_web1.console").write_text("", encoding="utf-8")
    assert console.text(WEB1) == ""
