"""A node for scripts: this machine, with a folder of the test's in the places of a node's own."""

import os
import subprocess
from pathlib import Path

import pytest

from lab.desired import scripts


def bash(script: str) -> "subprocess.CompletedProcess[str]":
    """Run a script as a node would."""
    return subprocess.run(["bash", "-s"], input=script, capture_output=True, text=True, timeout=20)


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the scripts keep on a node is in a folder of the test's; its bin/ comes first in PATH."""
    monkeypatch.setattr(scripts, "PENDING", str(tmp_path / "pending"))
    monkeypatch.setattr(scripts, "POLICY", str(tmp_path / "policy-rc.d"))
    monkeypatch.setattr(scripts, "LOCK_TIMEOUT_S", 2)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")


def fake(tmp_path: Path, name: str, body: str) -> None:
    """A command of the node's: it writes its words to the file `calls`, then runs `body`."""
    path = tmp_path / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'#!/bin/bash\ncd {tmp_path}\necho "{name} $*" >> calls\n{body}\n')
    path.chmod(0o755)
