"""A converge of a lab that is as it should be: what it costs, and that it changes nothing."""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fabfile.roles import ROLES
from lab import topology
from lab.desired.state import Desired, fingerprint
from lab.desired.target import Target
from lab.errors import BadInput, LabNotUp
from lab.faults.protections import PROTECTIONS, checked
from lab.mysql import last_seen
from lab.nodes import clock_sync, lifecycle
from lab.nodes.ssh import Answer
from lab.operations import converge
from lab.release import Release
from lab.replication import accounts, assign_roles, rolling_restart
from lab.state import choices, credentials
from tests.support.pairs import PROMOTED
from tests.unit.conftest import Stored
from tests.unit.replication.test_accounts import answer_of

CASES = Path(__file__).parents[1] / "cases"
SYSTEM = (CASES / "release" / "debian-13.txt").read_text(encoding="utf-8")
LAB = topology.load()
PASSWORDS = {it.name: f"{it.name}-password" for it in accounts.load(LAB)}


class Double:
    """A node that is as desired and counts how often it is asked."""

    def __init__(self, node: topology.Node) -> None:
        self.node = node
        self.channels = 0
        self.scripts: list[str] = []
        self.report = healthy_report(node)

    def run(self, command: str, *words: object, **options: object) -> Answer:
        """The first question is for /etc/os-release."""
        self.channels += 1
        return Answer(0, SYSTEM, "")

    def script(self, text: str, **options: object) -> Answer:
        """The probe."""
        self.channels += 1
        self.scripts.append(text)
        return Answer(0, self.report, "")


def healthy_report(node: topology.Node) -> str:
    """What the probe prints on a node that has all that is desired of it."""
    target = Target(LAB, node, Release.of(SYSTEM), choices.DEFAULTS, PASSWORDS)
    return "\n".join(_lines(converge.desired(target, ROLES), node))


def _lines(desired: Desired, node: topology.Node) -> Sequence[str]:
    prints = {file.path: fingerprint(file).split(" ", 1) for file in desired.files}
    lines = ["=weblab= packages", *(f"ii  {name}" for name in desired.packages)]
    lines += ["=weblab= sums", *(f"{digest}  {path}" for path, (digest, _) in prints.items())]
    lines += ["=weblab= modes", *(f"{rights} {path}" for path, (_, rights) in prints.items())]
    lines += ["=weblab= units"]
    for unit in desired.units:
        lines += [f"Names={unit.name}", "ActiveState=active", "UnitFileState=enabled", ""]
    lines += [f"=weblab= command 0 {it.name}" for it in desired.commands]
    if "database" in node.roles:
        facts = (CASES / "facts" / f"mysql-9.7-{node.name}.txt").read_text(encoding="utf-8")
        stored = [line for it in accounts.load(LAB) for line in answer_of(it, PASSWORDS[it.name])]
        lines += ["=weblab= answer record", "weblab mysql: opened 0"]
        lines += ["=weblab= answer database", facts, "=weblab= answer accounts", *stored]
        lines += [f"@source {_sha(PASSWORDS['replication'])}"]
    return lines


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> list[Double]:
    """The three nodes, as desired."""
    made = [Double(node) for node in LAB.nodes]
    monkeypatch.setattr(lifecycle, "running", lambda lab, role="": made)
    monkeypatch.setattr(credentials, "passwords", lambda names: PASSWORDS)
    monkeypatch.setattr(choices, "load", choices.Choices)
    return made


def test_a_second_converge_costs_two_round_trips_a_node_and_changes_nothing(machines: list[Double]) -> None:
    """One to see that the node is there and what it is, one for everything else; the databases cost none."""
    outcome = converge.everything(LAB, ROLES)
    assert outcome.changed == []
    assert [machine.channels for machine in machines] == [2, 2, 2]


def test_a_probe_that_was_asked_before_a_promotion_does_not_bring_the_old_primary_back(
    machines: list[Double], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the servers answered is remembered as of the moment before the probe, not as of its end."""
    probe = Double.script

    def promoted_meanwhile(machine: Double, text: str, **options: object) -> Answer:
        last_seen.remember(time.time(), [PROMOTED])
        return probe(machine, text, **options)

    monkeypatch.setattr(Double, "script", promoted_meanwhile)
    converge.everything(LAB, ROLES)
    seen = last_seen.recall()
    assert seen is not None and seen.node == "web2"


@pytest.mark.parametrize("node", ["web2", ""])
def test_where_no_machine_runs_nothing_is_converged(node: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """'Nothing to change' would be believed."""
    monkeypatch.setattr(lifecycle, "running", lambda lab: [])
    with pytest.raises(LabNotUp, match="nothing was converged"):
        converge.everything(LAB, ROLES, node=node)


def test_one_node_alone_can_be_converged(machines: list[Double]) -> None:
    """The others are not asked, and the pair is left as it is."""
    converge.everything(LAB, ROLES, node="web1")
    assert [machine.channels for machine in machines] == [0, 2, 0]


def differs(machine: Double, path: str) -> None:
    """A file of that node was changed by hand."""
    lines = machine.report.splitlines()
    machine.report = "\n".join("0" * 64 + f"  {path}" if line.endswith(f"  {path}") else line for line in lines)


CNF = "/etc/mysql/mysql.conf.d/zz-weblab.cnf"


@pytest.mark.parametrize("node", ["", "web1"])
def test_no_node_restarts_mysql_by_itself(machines: list[Double], monkeypatch: pytest.MonkeyPatch, node: str) -> None:
    """Its file is placed on all nodes at once, then they restart in turn; the pair is made right before and after."""
    order: list[str] = []
    for machine in machines[1:]:
        differs(machine, CNF)
    for name, step in (("in_turn", "restart"), ("converge", "pair")):
        module: Any = rolling_restart if name == "in_turn" else assign_roles

        def note(*words: Any, step: str = step) -> list[str]:
            order.append(f"{step} {' '.join(words[2])}".strip() if step == "restart" else step)
            return [step] if step == "pair" else []

        monkeypatch.setattr(module, name, note)
    changed = converge.everything(LAB, ROLES, node=node).changed
    names = [node] if node else ["web1", "web2"]
    assert order == ["pair", f"restart {' '.join(names)}", "pair"]
    assert changed == [*(f"{name}: 1 file, 1 service changed" for name in names), "pair", "pair"]
    assert not any("systemctl restart mysql" in text for machine in machines for text in machine.scripts)


def test_a_clock_that_stood_still_is_set_and_one_that_is_right_is_left(
    machines: list[Double], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The laptop slept an hour: the node that missed it is set, told as a change; a dry run only tells it."""
    stepped: list[str] = []
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)  # else a slow machine makes it 3601 s
    monkeypatch.setattr(converge, "step_clock", lambda machine: stepped.append(machine.node.name))
    for machine, behind in zip(machines, (0, 3600, 1), strict=True):
        machine.report += f"\n=weblab= answer clock\n{time.time() - behind:.3f}"
    assert converge.everything(LAB, ROLES, dry_run=True).changed == ["web1: clock, it was 3600 s behind"]
    assert stepped == []
    assert converge.everything(LAB, ROLES).changed == ["web1: clock, it was 3600 s behind"]
    assert stepped == ["web1"]


CLOCKS = {"right, answered late": (2, 0), "an hour behind": (-3600, -3600), "an hour ahead": (3610, 3600)}


@pytest.mark.parametrize(("ahead", "error"), CLOCKS.values(), ids=CLOCKS.keys())
def test_a_busy_node_that_answers_late_has_no_wrong_clock(
    ahead: int, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten seconds pass between question and answer: a clock that was right in between is right."""
    monkeypatch.setattr(time, "time", lambda: 1010.0)
    assert clock_sync.error({"clock": str(1000 + ahead)}, asked_at=1000) == error


def test_a_converge_writes_down_what_it_takes_away_before_it_does(
    machines: list[Double],
    stored: Stored,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that status tells it although nobody came back; the next whole converge puts it back and strikes it out."""
    known, write = list[object](), machines[0].script

    def look(text: str, **options: object) -> object:
        known.append(stored().get("without"))
        return write(text, **options)

    monkeypatch.setattr(machines[0], "script", look)
    outcome = converge.everything(LAB, ROLES, without=["retries"])
    assert outcome.changed == ["lb1: 1 file, 1 service changed"] and "haproxy.cfg" in machines[0].scripts[1]
    assert known == [["retries"]] * len(known) and stored() == {"without": ["retries"]}
    assert converge.everything(LAB, ROLES).changed == []
    assert stored() == {}


@pytest.mark.parametrize("part", [{"node": "lb1"}, {"only": ["balancer"]}, {"dry_run": True}], ids=str)
def test_half_a_converge_strikes_nothing_out(machines: list[Double], stored: Stored, part: dict[str, Any]) -> None:
    """What stands elsewhere may still be missing."""
    choices.save(provider="libvirt", without=["unique-key"])
    converge.everything(LAB, ROLES, **part)
    assert stored()["without"] == ["unique-key"]


def test_a_node_that_is_off_keeps_the_record(machines: list[Double], stored: Stored) -> None:
    """Its part was not put back."""
    choices.save(without=["unique-key"])
    del machines[2]
    converge.everything(LAB, ROLES)
    assert stored() == {"without": ["unique-key"]}


def test_an_unknown_protection_is_refused_before_anything_is_written(machines: list[Double], stored: Stored) -> None:
    """With the one that was meant, and every other mistake."""
    with pytest.raises(BadInput, match=r"(?s)did you mean retries\?.*redispatch stands here twice"):
        converge.everything(LAB, ROLES, without=["retrys", "redispatch", "redispatch"])
    assert stored() == {} and [machine.channels for machine in machines] == [1, 1, 1]
    assert checked(PROTECTIONS) == list(PROTECTIONS)
