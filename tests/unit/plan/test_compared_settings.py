"""PATH=VALUE: what a comparison changes, and what it refuses before anything runs, all mistakes at once."""

from typing import Any

import pytest

from lab import topology
from lab.errors import BadInput
from lab.plan import compared_settings, experiment_file
from lab.plan.compared_settings import Setting
from lab.state.choices import Choices

LAB = topology.load()
ROUNDROBIN = "algorithm=roundrobin"


def pair(
    a: str, b: str, name: str = "web2-slow", own: Choices | None = None, pairs: int = 12
) -> tuple[Setting, Setting]:
    """The two settings; the words of each side as they are typed."""
    words = {"a": a.split(), "b": b.split()}
    return compared_settings.settings(LAB, experiment_file.find(name, LAB), words, own or Choices(), pairs)


CHANGED: list[tuple[str, str, dict[str, Any]]] = [
    ("algorithm=leastconn", "web2-slow", {"algorithm": "leastconn"}),
    ("algorithm=random,draws=3", "web2-slow", {"algorithm": "random", "draws": 3}),
    ("algorithm=random draws=3", "web2-slow", {"algorithm": "random", "draws": 3}),
    ("mode=active-passive", "web2-slow", {"mode": "active-passive"}),
    ("persistence=cookie", "control", {"persistence": "cookie"}),
    ("weights.web1=50,weights.web2=50", "control", {"weights": {"web1": 50, "web2": 50}}),
    ("durability=async", "control", {"durability": "async"}),
    ("without=retries", "control", {"without": ["retries"]}),
    ("without=[retries,redispatch],load.rate=20", "control", {"without": ["retries", "redispatch"]}),
    ("steps.0.inject.delay_ms=50", "web2-slow", {}),
    ("load.rate=20,load.write_share=0.5,load.processes=2", "control", {}),
]


@pytest.mark.parametrize(("words", "name", "choices"), CHANGED, ids=[words for words, *_ in CHANGED])
def test_a_setting_changes_what_it_names_and_nothing_else(words: str, name: str, choices: dict[str, Any]) -> None:
    """Of the choices; the other side has the opposite of nothing."""
    a, b = pair("warm_up_s=4", words, name)
    assert {key: it for key, it in b.choices.differing().items() if a.choices.differing().get(key) != it} == choices
    assert a.choices == Choices(durability=a.plan.durability)


def test_a_setting_of_the_load_or_of_a_fault_is_in_the_plan() -> None:
    """As if it stood in the file."""
    a, b = pair("load.rate=5", "load.rate=20,steps.0.inject.delay_ms=50")
    assert (a.plan.load.rate, b.plan.load.rate) == (5, 20)
    assert [it.faults[0].options["delay_ms"] for it in (a.plan, b.plan)] == [200, 50]
    assert a.as_data() != b.as_data()


def test_what_no_side_names_is_the_users_choice() -> None:
    """As in a run."""
    own = Choices(algorithm="leastconn", weights={"web1": 30})
    a, b = pair("weights.web2=50", "mode=active-passive", own=own)
    assert {a.choices.algorithm, b.choices.algorithm} == {"leastconn"}
    assert (a.choices.weights, b.choices.weights) == ({"web1": 30, "web2": 50}, {"web1": 30})
    assert set(a.chosen) == set(b.chosen), "each round sets all that the other one may have changed"


REFUSED = [
    ("algoritm=leastconn", "--b algoritm: can't be compared; did you mean algorithm?"),
    ("load.rat=20", "--b load.rat: can't be compared; did you mean load.rate?"),
    ("weights.web3=20", "did you mean weights.web1 or weights.web2?"),
    ("algorithm=lestconn", "--b algorithm: can't be 'lestconn'; did you mean leastconn?"),
    ("load.rate=1000", "--b load.rate: must be at most 400 (it is 1000)"),
    ("load.rate=fast", "--b load.rate: must be a number (it is 'fast')"),
    ("draws=0", "--b draws: must be at least 1 (it is 0)"),
    ("draws=3", "only the algorithm random draws servers, not roundrobin"),
    ("weights.web2=257", "--b weights.web2: must be at most 256"),
    ("weights.web2=0", "with 0 it gets no requests"),
    ("algorithm=first,weights.web2=5", "the algorithm first ignores weights"),
    ("steps.0.inject.delay_ms=no", "--b steps.0.inject.delay_ms"),
    ("steps.7.inject.delay_ms=5", "did you mean steps.0.inject.delay_ms"),
    ("leastconn", "must be PATH=VALUE"),
    ("algorithm=leastconn algorithm=random", "--b algorithm: stands here twice"),
    ("algorithm=[", "is no value"),
    ("seed=3", "--b seed: is the same in both settings"),
    ("nodes.web1.memory=2048", "the machines would have to be made or booted again"),
    ("steps=[]", "only the options of its fault"),
    ("without=retires", "did you mean retries?"),
    ("", "--b: give a setting"),
    (ROUNDROBIN, "are the same setting"),
]


@pytest.mark.parametrize(("words", "why"), REFUSED, ids=[words for words, _ in REFUSED])
def test_what_cannot_be_compared_is_refused(words: str, why: str) -> None:
    """With the side, the path, and what was probably meant."""
    with pytest.raises(BadInput) as caught:
        pair(ROUNDROBIN, words)
    assert why in caught.value.what and not caught.value.evidence


def test_all_mistakes_are_told_at_once() -> None:
    """Of both sides, and of the number of rounds."""
    with pytest.raises(BadInput) as caught:
        pair("algoritm=x,load.rate=-1", "mode=passive", pairs=3)
    lines = caught.value.evidence.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "- --a algoritm",
        "- --a load.rate",
        "- --b mode",
        "- --repeat 3",
    ]


def test_a_story_has_no_rounds() -> None:
    """Its commands would be left out without a word."""
    with pytest.raises(BadInput, match="can't be compared") as caught:
        pair(ROUNDROBIN, "algorithm=random", name="planned-switch")
    assert "tells a story" in caught.value.what
