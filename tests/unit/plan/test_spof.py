"""The components that experiment.spof kills, their plans, and what a user predicts."""

from dataclasses import replace

import pytest

from lab import topology
from lab.durability import Durability
from lab.errors import BadInput
from lab.faults.kinds import Fault
from lab.plan import predictions
from lab.plan.spof import DEAD_S, chosen, components, plan, unmeasured
from lab.state.choices import Choices

LAB = topology.load(topology.ROOT / "lab.yml")
NAMES = [it.name for it in components(LAB)]


def test_every_machine_and_every_service_is_a_component() -> None:
    """Only what is really there: a node has the services of its roles."""
    web = ["", "-nginx", "-php-fpm", "-mysql"]
    lb1 = ["lb1", "lb1-haproxy", "lb1-dnsmasq"]
    assert [*lb1, *(f"{node}{it}" for node in ("web1", "web2") for it in web)] == NAMES
    web3 = replace(LAB.nodes[2], name="web3", roles=("web",))
    more = components(replace(LAB, nodes=(*LAB.nodes, web3)))
    assert [it.name for it in more][-3:] == ["web3", "web3-nginx", "web3-php-fpm"]


@pytest.mark.parametrize(
    ("only", "names"),
    [
        ("", NAMES),
        ("web1", ["web1"]),
        ("nginx", ["web1-nginx", "web2-nginx"]),
        ("web2-mysql, lb1", ["lb1", "web2-mysql"]),
    ],
)
def test_a_choice_names_machines_and_services(only: str, names: list[str]) -> None:
    """A service alone means that service on every machine."""
    assert [it.name for it in chosen(LAB, only)] == names


def test_every_unknown_component_is_named() -> None:
    """With the one that was probably meant."""
    with pytest.raises(BadInput) as caught:
        chosen(LAB, "web9,ngins")
    assert "'web9'" in caught.value.evidence and "did you mean nginx" in caught.value.evidence


def test_each_component_dies_once_and_is_healed() -> None:
    """Each plan is a valid experiment: a machine loses its power, a service is killed and stays dead."""
    for component in components(LAB):
        made = plan(component, LAB, Choices())
        (fault,) = made.faults
        kind = "service-kill" if component.service else "power-off"
        assert (fault.kind, fault.node, fault.service) == (kind, component.node, component.service)
        inject, heal = made.steps
        assert heal.at - inject.at == DEAD_S and made.unhealed == ()
        assert Fault.parse(LAB, fault.as_data()) == fault


def test_a_plan_takes_the_lab_as_the_user_has_chosen_it() -> None:
    """So a student can change one setting and measure again; the databases keep their roles."""
    own = Choices(durability=Durability.AVAILABLE, algorithm="leastconn", mode="active-passive")
    made = plan(components(LAB)[0], LAB, own)
    assert (made.durability, made.algorithm, made.mode, made.primary) == (
        Durability.AVAILABLE,
        "leastconn",
        "active-passive",
        "",
    )


def test_what_has_a_result_is_not_measured_again() -> None:
    """The rest keeps its order."""
    assert [it.name for it in unmeasured(components(LAB), NAMES[:-1])] == NAMES[-1:]


def test_a_prediction_names_what_fails() -> None:
    """In any order; all and none too."""
    found = predictions.parse("web1=writes,reads lb1=all  web2=none", NAMES, [])
    assert found == {"web1": ["reads", "writes"], "lb1": ["reads", "writes", "names"], "web2": []}


@pytest.mark.parametrize(
    ("words", "mistake"),
    [
        ("web9=writes", "'web9' is not a component"),
        ("web1=write", "did you mean writes?"),
        ("web1", "say what fails"),
        ("web1=none,reads", "none stands alone"),
        ("lb1=all", "lb1 was measured"),
        ("web1=none web1=all", "web1 is named twice"),
    ],
)
def test_a_wrong_prediction_is_refused(words: str, mistake: str) -> None:
    """Each mistake is named; what is measured can no longer be predicted."""
    with pytest.raises(BadInput) as caught:
        predictions.parse(f"{words} web2=nothing", NAMES, ["lb1"])
    assert mistake in caught.value.evidence and "'nothing'" in caught.value.evidence


def test_a_prediction_is_judged_part_by_part() -> None:
    """What was not measured is neither right nor wrong; without a prediction there is nothing to judge."""
    measured = {"reads": False, "writes": True, "names": None}
    assert predictions.right(["writes"], measured) == {"reads": True, "writes": True}
    assert predictions.right([], measured) == {"reads": True, "writes": False}
    assert predictions.right(None, measured) == {}
