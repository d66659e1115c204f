"""The balancer's choices, which every test finds as they are by default and leaves so."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from lab.state import choices
from lab.state.choices import DEFAULTS
from lab.topology import Lab
from tests.live.conftest import must
from tests.support.visitors import asked

OF_BALANCER = ("algorithm", "draws", "mode", "persistence", "weights", "drained")
Order = Callable[[int], list[str]]


@pytest.fixture
def balanced(healthy: Lab) -> Iterator[Lab]:
    """The lab with the default choices of the balancer, which are in force again after the test."""
    yield healthy
    if any(getattr(choices.load(), name) != getattr(DEFAULTS, name) for name in OF_BALANCER):
        choices.save(**{name: DEFAULTS.model_dump()[name] for name in OF_BALANCER})
        must("lab.provision", timeout=240)


@pytest.fixture
def served(balanced: Lab) -> Order:
    """Who serves one request after the other, each on a connection of its own."""
    return lambda number: [asked(balanced, "/api/notes")[1]["x-served-by"] for _ in range(number)]


def shares(order: list[str]) -> Counter[str]:
    """How many requests each server got."""
    return Counter(order)
