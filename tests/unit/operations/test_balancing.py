"""The balancer's choices: which are refused, when they are in force, and what a person reads."""

from dataclasses import replace
from typing import Any, cast, get_args

import pytest

from lab import topology
from lab.errors import BadInput, CheckFailed, InfrastructureBroken, TimedOut
from lab.nodes import haproxy
from lab.nodes.haproxy import BalancerNow, ServerNow
from lab.operations import balancing, converge, status
from lab.operations.converge import Outcome
from lab.state import choices
from lab.state.choices import Choices
from lab.topology import Lab
from tests.unit.conftest import Stored
from tests.unit.operations.test_status import HEALTHY

LAB = topology.load()
WEB1, WEB2 = (ServerNow(name, "UP", 100, False, 1, 20) for name in ("web1", "web2"))
NOW = BalancerNow(0, "roundrobin", "", (WEB1, WEB2))


class Balancer:
    """lb1, whose HAProxy does what is chosen from the second answer after a converge on."""

    node = LAB.node("lb1")

    def __init__(self) -> None:
        self.found, self.next = NOW, NOW
        self.weighed: dict[str, int] = {}
        self.converged: list[str] = []
        self.obeys = True

    def converge(self, lab: Lab, *_: Any, only: Any) -> Outcome:
        """Replaces converge.everything."""
        self.converged = [node.name for node in lab.having("web")]
        assert list(only) == ["balancer"]
        chosen = choices.load()
        cookie = "SERVER" if chosen.persistence == "cookie" else ""
        servers = [replace(it, weight=chosen.weight(it.name)) for it in (WEB1, WEB2)]
        servers[1] = replace(servers[1], backup=chosen.mode == "active-passive")
        self.next = replace(NOW, algorithm=chosen.algorithm, cookie=cookie, servers=tuple(servers))
        machines: Any = (self,)
        return Outcome(["lb1: 1 file, 1 service changed"], {}, [], machines)

    def ask(self, *_: Any) -> BalancerNow:
        """Replaces haproxy.ask."""
        found, self.found = self.found, self.next if self.obeys else NOW
        return found


@pytest.fixture
def balancer(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> Balancer:
    """The double, asked by the code under test."""
    made = Balancer()
    monkeypatch.setattr(converge, "everything", made.converge)
    monkeypatch.setattr(haproxy, "ask", made.ask)
    monkeypatch.setattr(haproxy, "set_weights", lambda machine, weights: made.weighed.update(weights))
    monkeypatch.setattr(balancing, "POLL_S", 0.0)
    return made


@pytest.mark.parametrize(
    "wanted",
    [
        {"algorithm": "leastconn"},
        {"mode": "active-passive"},
        {"persistence": "cookie"},
        {"weights": {"web1": 30}},
        {"drained": ["web2"]},
    ],
    ids=str,
)
def test_a_change_is_kept_and_waits_until_haproxy_does_it(balancer: Balancer, wanted: dict[str, Any]) -> None:
    """HAProxy's old process answers once more after the reload; new weights are for that process too."""
    assert balancing.differing(Choices(**wanted), NOW)
    found = balancing.change(LAB, {}, cast(Any, balancer), **wanted)
    assert not balancing.differing(choices.load(), found) and choices.load() == Choices(**wanted)
    assert balancer.weighed == {
        name: Choices(**wanted).weight(name) for name in ("web1", "web2") if name in str(wanted)
    }


def test_a_change_lets_no_server_in_that_haproxy_does_not_have(
    balancer: Balancer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is new in lab.yml, and enters when lab.up made it; a HAProxy that does not run gets the whole file."""
    four = topology.load(topology.ROOT / "docs" / "topologies" / "four.yml")
    balancing.change(four, {}, cast(Any, balancer), algorithm="leastconn")
    assert balancer.converged == ["web1", "web2"]
    answers = iter([InfrastructureBroken("HAProxy does not answer on its socket")])

    def starts(machine: Any) -> BalancerNow:
        for error in answers:
            raise error
        return balancer.next

    monkeypatch.setattr(haproxy, "ask", starts)
    balancing.change(four, {}, cast(Any, balancer), algorithm="roundrobin")
    assert balancer.converged == ["web1", "web2", "web3"]


def test_a_change_that_does_not_come_into_force_is_an_error(
    balancer: Balancer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The choice is kept: the next converge writes it again."""
    balancer.obeys = False
    monkeypatch.setattr(balancing, "IN_FORCE_S", 0.0)
    with pytest.raises(TimedOut, match="in force"):
        balancing.change(LAB, {}, cast(Any, balancer), algorithm="leastconn")
    assert choices.load().algorithm == "leastconn"


def test_a_change_that_the_statistics_do_not_show_waits_for_a_new_process(
    balancer: Balancer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of draws: the old process looks the same, and is older than the change."""
    balancer.found = replace(NOW, since_s=100, algorithm="random")
    choices.save(algorithm="random")
    assert balancing.change(LAB, {}, cast(Any, balancer), draws=1).since_s == 0


def test_what_haproxy_does_not_support_is_not_kept(balancer: Balancer) -> None:
    """With the reason; HAProxy is not touched."""
    choices.save(weights={"web1": 30})
    with pytest.raises(BadInput, match="can't be chosen") as caught:
        balancing.change(LAB, {}, cast(Any, balancer), algorithm="first")
    assert "first ignores weights" in caught.value.what
    assert choices.load() == Choices(weights={"web1": 30}) and balancer.next is NOW


OTHERS: dict[str, tuple[dict[str, Any], ServerNow]] = {
    "is down": ({}, replace(WEB2, status="DOWN")),
    "is in maintenance": ({}, replace(WEB2, status="MAINT")),
    "is drained": ({"drained": ["web2"]}, replace(WEB2, status="DRAIN", weight=0)),
    "is about to be drained": ({"drained": ["web2"]}, WEB2),
    "was drained over the socket": ({}, replace(WEB2, status="DRAIN")),
    "has weight 0": ({"weights": {"web2": 0}}, replace(WEB2, status="DRAIN", weight=0)),
}


@pytest.mark.parametrize(("chosen", "other"), OTHERS.values(), ids=OTHERS)
def test_the_last_server_is_not_drained(balancer: Balancer, chosen: dict[str, Any], other: ServerNow) -> None:
    """Whatever the reason is that the other one takes no requests; it is named."""
    choices.save(**chosen)
    balancer.found = replace(NOW, servers=(WEB1, other))
    with pytest.raises(CheckFailed, match=r"web1 is the last server that takes requests, .* web2 is"):
        balancing.must_serve(cast(Any, balancer), "web1")


def test_a_server_beside_a_serving_one_may_be_drained(balancer: Balancer) -> None:
    """Also if it is drained, down or the passive one itself."""
    balancing.must_serve(cast(Any, balancer), "web1")
    balancer.found = replace(NOW, servers=(WEB1, replace(WEB2, status="DOWN")))
    balancing.must_serve(cast(Any, balancer), "web2")


def test_a_weight_that_was_set_by_hand_is_set_again(balancer: Balancer) -> None:
    """No choice changes, so no file does: only HAProxy's own process knows of it."""
    balancing.change(LAB, {}, cast(Any, balancer), named="web2", drained=[])
    assert balancer.weighed == {"web2": 100}


def test_choices_of_a_server_that_lab_yml_has_no_more_are_forgotten(balancer: Balancer) -> None:
    """They would stay for ever: no command takes a name that there is not."""
    choices.save(weights={"web3": 30}, drained=["web3"])
    balancing.change(LAB, {}, cast(Any, balancer), algorithm="first")
    assert choices.load() == Choices(algorithm="first")


def test_one_server_has_no_backup() -> None:
    """Active-passive is refused; where lab.yml lost its second server, the mode is as HAProxy says."""
    alone = replace(LAB, nodes=tuple(node for node in LAB.nodes if node.name != "web2"))
    with pytest.raises(BadInput, match="two web servers"):
        balancing.must_have_a_backup(alone)
    balancing.must_have_a_backup(LAB)
    assert not balancing.differing(Choices(mode="active-passive"), replace(NOW, servers=(WEB1,)))


def test_only_web_servers_take_requests() -> None:
    """Another node and a misspelt one are refused, with the names that there are."""
    assert balancing.server(LAB, "web2") == "web2"
    for name in ("lb1", "wbe2"):
        with pytest.raises(BadInput, match="is not a web server"):
            balancing.server(LAB, name)


def test_every_choice_is_explained() -> None:
    """What it does, and what it costs."""
    names = [*get_args(choices.Algorithm), *get_args(choices.Mode)]
    assert set(balancing.MEANS) == {*names, *get_args(choices.Persistence)}


def test_a_person_sees_what_differs_and_how_a_server_comes_back() -> None:
    """A line a server."""
    chosen = Choices(algorithm="leastconn", drained=("web2",), weights={"web2": 50})
    text = "\n".join(balancing.table(NOW, chosen))
    for part in ("algorithm is roundrobin, chosen is leastconn", "weight of web2 is 100, chosen is 0"):
        assert part in text
    assert "back: lb.ready web2" in text and text.endswith("invoke lb.drain web2")
    assert "wrong" not in "\n".join(balancing.table(NOW, Choices()))


def test_a_drained_server_is_no_trouble_in_the_status() -> None:
    """Drained by choice; one that somebody drained by hand is red."""
    drained = {"servers": [{"name": "web1", "status": "DRAIN", "weight": 0}]}
    chosen = {**HEALTHY["balancer"], **drained, "drained": ["web1"]}
    text = status.table({**HEALTHY, "balancer": chosen}, colour=True)
    assert status.RED not in text and "invoke lb.ready web1" in text
    by_hand = {**HEALTHY, "balancer": {**HEALTHY["balancer"], **drained}}
    assert f"{status.RED}DRAIN" in status.table(by_hand, colour=True)
