"""What a run keeps of its nodes: of one that is silent too."""

import stat
from pathlib import Path

import pytest

from lab import topology
from lab.errors import Unreachable
from lab.nodes import console, lifecycle
from lab.nodes.ssh import Answer
from lab.operations import logs
from lab.topology import Node

LAB = topology.load()
OUTPUT = "\n== journal.log\nMain process exited\n\n== /var/log/nginx/access.log\nGET /\n"


class Double:
    """The way to a node; the kernel of web2 died."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def script(self, *_: object, **__: object) -> Answer:
        """What it hands over."""
        if self.node.name == "web2":
            raise Unreachable("web2 does not answer", evidence="timed out")
        return Answer(0, OUTPUT, "")


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The logs of a lab, as a run keeps them."""
    monkeypatch.setattr(lifecycle, "machines", lambda lab: [Double(node) for node in lab.nodes])
    monkeypatch.setattr(console, "last_lines", lambda node, _: f"{node.name}: Kernel panic - not syncing")
    folder = tmp_path / "run" / "logs"
    logs.save(LAB, folder, 0.0)
    return folder


def test_what_a_node_hands_over_is_kept_by_its_name(saved: Path) -> None:
    """A file each."""
    assert {it.name for it in (saved / "web1").iterdir()} == {"journal.log", "access.log", "console.log"}
    assert (saved / "web1" / "access.log").read_text(encoding="utf-8") == "GET /\n"


def test_nobody_else_reads_them(saved: Path) -> None:
    """Consoles are for root alone, so their copies are too."""
    assert stat.S_IMODE(saved.stat().st_mode) == 0o700


def test_of_a_silent_node_its_console_is_kept_and_why_there_is_no_more(saved: Path) -> None:
    """A reset makes the machine anew, and with it an empty console."""
    assert {it.name for it in (saved / "web2").iterdir()} == {"not-to-be-had.log", "console.log"}
    assert "timed out" in (saved / "web2" / "not-to-be-had.log").read_text(encoding="utf-8")
    assert "Kernel panic" in (saved / "web2" / "console.log").read_text(encoding="utf-8")
