"""For tests without machines: what a real lab of this checkout has going on is none of their business."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import choices, ledger, remembered
from lab.topology import ROOT
from tests.unit import fake_site
from tests.unit.fake_site import Site

Stored = Callable[[], dict[str, Any]]
LOAD, WRITE = choices.load, choices._write


@pytest.fixture
def site() -> Iterator[Site]:
    """The fake site."""
    with fake_site.running() as running:
        yield running


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code whose lab.yml says 127.0.0.0/8: no switch of the real one opens it to this machine."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("lab", "loadtests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    text = (ROOT / "lab.yml").read_text(encoding="utf-8")
    text = text.replace("192.168.56.0/24", "127.0.0.0/8").replace("192.168.56.", "127.0.56.")
    (folder / "lab.yml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def no_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger of faults, what is remembered of the databases, and choices set aside, are files of the test's."""
    monkeypatch.setattr(choices, "ASIDE", tmp_path / "ledger" / "aside.yml")
    monkeypatch.setattr(remembered, "SEEN", tmp_path / "ledger" / "primary-seen.json")
    monkeypatch.setattr(remembered, "DEGRADED", tmp_path / "ledger" / "degraded.json")
    monkeypatch.setattr(ledger, "LEDGER", tmp_path / "ledger" / "faults.json")
    ledger.LEDGER.parent.mkdir()


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stored:
    """A file of the test's for the choices: what it holds now."""
    path = tmp_path / "choices" / "choices.yml"

    def own(it: Path) -> Path:
        return path if it == choices.CHOICES else it

    monkeypatch.setattr(choices, "load", lambda it=path: LOAD(own(it)))
    monkeypatch.setattr(choices, "_write", lambda chosen, it: WRITE(chosen, own(it)))
    return lambda: LOAD(path)
