"""For tests without machines: what a real lab of this checkout has going on is none of their business."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lab.exercises import progress_file
from lab.faults import ledger
from lab.mysql import last_seen
from lab.mysql.server_state import Database
from lab.operations import membership, snapshots
from lab.state import backup_folder, choices
from lab.topology import ROOT
from tests.support import fake_site
from tests.support.fake_site import Site
from tests.support.pairs import OPEN, REPLICA, WEB1
from tests.support.simulated.pair import Pair, installed

Stored = Callable[[], dict[str, Any]]
Make = Callable[..., Pair]
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
    monkeypatch.setattr(last_seen, "SEEN", tmp_path / "ledger" / "primary-seen.json")
    monkeypatch.setattr(last_seen, "OPENING", tmp_path / "ledger" / "primary-opening.json")
    monkeypatch.setattr(last_seen, "DEGRADED", tmp_path / "ledger" / "degraded.json")
    monkeypatch.setattr(membership, "DATABASES", tmp_path / "ledger" / "databases")
    monkeypatch.setattr(backup_folder, "FOLDER", tmp_path / "ledger" / "backups")
    monkeypatch.setattr(progress_file, "FILE", tmp_path / "ledger" / "exercises.json")
    monkeypatch.setattr(ledger, "LEDGER", tmp_path / "ledger" / "faults.json")
    monkeypatch.setattr(snapshots, "RESTORING", tmp_path / "ledger" / "restoring")
    monkeypatch.setattr(snapshots, "NAMES", tmp_path / "ledger" / "snapshots")
    ledger.LEDGER.parent.mkdir()


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stored:
    """A file of the test's for the choices: what it holds now."""
    path = tmp_path / "choices" / "choices.yml"

    def own(it: Path) -> Path:
        return path if it == choices.CHOICES else it

    monkeypatch.setattr(choices, "load", lambda it=path: LOAD(own(it)))
    monkeypatch.setattr(choices, "_write", lambda chosen, it: WRITE(chosen, own(it)))
    return lambda: LOAD(path).differing()


@pytest.fixture
def make(
    stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Make]:
    """A simulated pair in some state: power of web1, whether its MySQL is dead or silent, who does not reach it.

    What was acknowledged last is in the relay log of web2, not applied. When the test ends, no two servers have
    taken writes at the same time, and a primary has all that was acknowledged.
    """
    with ExitStack() as stack:

        def made(
            web1: Database = OPEN,
            web2: Database = REPLICA,
            *,
            power: str = "running",
            dead: bool = False,
            silent: bool = False,
            unreached_by: Sequence[str] = (),
        ) -> Pair:
            pair = Pair(tmp_path / f"nodes{len(pairs)}", web1, web2)
            pairs.append(pair)
            for _ in range(5):
                pair.visit()
            pair.power["web1"], pair.web1.silent = power, silent
            if dead:
                pair.crash(pair.web1)
            if power == "off":
                pair.web1.kill()
            pair.unreached = {name: [str(WEB1.ip)] for name in unreached_by}
            pair.cut = "web2" in unreached_by and "lb1" in unreached_by
            pair.begin()
            return stack.enter_context(installed(monkeypatch, pair))

        pairs: list[Pair] = []
        last_seen.remember(time.time(), [OPEN, REPLICA])
        yield made
        stack.close()
        for it in pairs if not request.node.get_closest_marker("xfail") else []:
            assert it.two_writable == []
            assert it.may_lose or "".join(it.lost(name) for name in it.writable()) == ""
