"""For tests without machines: what a real lab of this checkout has going on is none of their business."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fabfile import failover, survivor, switch
from fabfile.failover import Look
from fabfile.switch import Roles
from lab import choices, hypervisor, ledger, progress, remembered
from lab import site as site_
from lab.databases import Database
from lab.topology import ROOT, Node
from tests.unit import fake_site
from tests.unit.fake_pair import Two, two
from tests.unit.fake_site import Site
from tests.unit.pairs import OPEN

Stored = Callable[[], dict[str, Any]]
Make = Callable[..., Two]
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
    monkeypatch.setattr(remembered, "OPENING", tmp_path / "ledger" / "primary-opening.json")
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


@pytest.fixture
def make(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """A pair in some state: power of web1, what it says of its MySQL, whether it is reached."""

    def made(
        web1: Database | None = OPEN,
        power: str = "running",
        *,
        dead: bool = False,
        reached: bool = True,
        balancer_reaches: bool = False,
        off_because: str = "destroyed",
        record: str = "weblab mysql: opened 0",
    ) -> Two:
        pair = two(web1)
        states = {"lb1": "running", "web1": power, "web2": "running"}

        def look(door: object, besides: str = "", connect_s: int = 5) -> Look:
            is_web1 = door is pair.web1
            return Look(pair.web1.state, dead, record) if is_web1 else Look(pair.web2.state, reaches=reached)

        def power_off(node: Node) -> None:
            pair.notes.append(f"{node.name} is powered off")
            pair.web1.state, states["web1"] = None, "off"

        monkeypatch.setattr(Roles, "of", lambda lab, name: pair.roles)
        monkeypatch.setattr(failover, "_look", look)
        monkeypatch.setattr(failover, "_reaches", lambda *_: balancer_reaches)
        monkeypatch.setattr(failover, "Machine", _Lb1)
        monkeypatch.setattr(hypervisor, "states", lambda lab: states)
        monkeypatch.setattr(hypervisor, "power_off", power_off)
        monkeypatch.setattr(hypervisor, "console_text", lambda node: record)
        monkeypatch.setattr(hypervisor, "off_because", lambda node: off_because if states["web1"] == "off" else "")
        monkeypatch.setattr(site_, "writer", lambda lab: "".join(pair.writable()))
        for module in (failover, survivor, switch):
            monkeypatch.setattr(module, "databases_of", pair.asked)
        return pair

    monkeypatch.setattr(progress, "say", lambda *_: None)
    remembered.remember(time.time(), [OPEN])
    yield made


class _Lb1:
    """The balancer: what it reaches is a double too."""

    def __init__(self, node: Node) -> None:
        self.node = node
