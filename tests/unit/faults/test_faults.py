"""What a fault is: read whole or refused whole, and never injected where it could not be seen or healed."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import topology
from lab.errors import BadInput
from lab.faults import kinds
from lab.faults.conflicts import conflicts
from lab.faults.kinds import KINDS, Fault

CASES = Path(__file__).parents[1] / "cases" / "faults"
LAB = topology.load()


def cases(name: str) -> list[dict[str, Any]]:
    """The rows of a file of cases."""
    rows: list[dict[str, Any]] = yaml.safe_load((CASES / name).read_text(encoding="utf-8"))
    return rows


def words(value: object) -> str:
    """The name of a case: its own text."""
    return str(value)[:60]


@pytest.mark.parametrize("case", cases("mistakes.yml"), ids=lambda case: words(case["given"]))
def test_every_mistake_of_a_fault_is_named(case: dict[str, Any]) -> None:
    """Kind, node, what the kind takes, and whether the node has what it breaks."""
    found = kinds.mistakes(LAB, case["given"])
    problems = [f"{key}: {text}" if key else text for key, text in found]
    assert problems == case["says"].splitlines()


@pytest.mark.parametrize("case", cases("conflicts.yml"), ids=lambda case: words(case["new"]))
def test_a_fault_that_cannot_be_told_apart_is_refused(case: dict[str, Any]) -> None:
    """With the reason, which names what is in the way."""
    active = [Fault.parse(LAB, given) for given in case["active"]]
    assert conflicts(active, Fault.parse(LAB, case["new"])) == case["reason"]


def test_a_wrong_fault_is_refused_with_all_its_mistakes() -> None:
    """One error, exit code 2."""
    with pytest.raises(BadInput) as caught:
        Fault.parse(LAB, {"kind": "slow", "node": "web3", "jitter_ms": 5})
    assert str(caught.value).splitlines() == [
        "this is not a fault that can be injected",
        "    - node: 'web3' is not a node; did you mean web1 or web2?",
        "    - slow needs at least one of delay_ms, loss_percent, rate_kbit",
        "    - jitter_ms: has no sense without delay_ms",
        "next: invoke fault.list",
    ]
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"kind": "power-off", "node": "web1"}, "web1-power-off"),
        ({"kind": "service-kill", "node": "web1", "service": "nginx", "restarts": True}, "web1-service-kill-nginx"),
        ({"kind": "partition", "node": "web1", "peer": "lb1"}, "web1-partition-lb1"),
        ({"kind": "slow", "node": "web2", "delay_ms": 30}, "web2-slow"),
    ],
    ids=lambda value: words(value),
)
def test_a_fault_comes_back_from_the_ledger_as_it_was(given: dict[str, Any], name: str) -> None:
    """As data it has an id of one word, names that are always there, and its options."""
    fault = Fault.parse(LAB, given)
    assert fault.as_data() == {"service": "", "peer": "", **given, "id": name}
    assert Fault.parse(LAB, fault.as_data()) == fault


def test_options_do_not_make_another_fault() -> None:
    """A node is slow once: the ledger and heal know a fault by kind, node, service and peer."""
    late = Fault.parse(LAB, {"kind": "slow", "node": "web2", "delay_ms": 30})
    lossy = Fault.parse(LAB, {"kind": "slow", "node": "web2", "loss_percent": 3})
    assert late != lossy
    assert late.key == lossy.key == kinds.key_of({"kind": "slow", "node": "web2"}) == ("slow", "web2", "", "")


def test_a_fault_is_named_for_healing_without_its_options() -> None:
    """Its place is still checked."""
    given = {"kind": "slow", "node": "web2"}
    assert list(kinds.mistakes(LAB, given, complete=False)) == []
    assert list(kinds.mistakes(LAB, {"kind": "service-kill", "node": "web2"}, complete=False)) != []


def test_every_kind_says_what_it_does_and_asks_only_for_what_it_takes() -> None:
    """The table that users are shown is whole."""
    for kind in KINDS.values():
        assert kind.description and kind.description[0].islower() and not kind.description.endswith(".")
        assert {*kind.required, *kind.one_of, *kind.needs, *kind.needs.values()} <= set(kind.options)
