"""Negative controls on the real lab: without a protection something must fail, and the checks must find it."""

import json
from collections.abc import Iterator

import pytest

from lab import topology
from lab.mysql import server_state
from lab.nodes.ssh import Machine
from lab.plan import experiment_file
from lab.state import choices
from lab.topology import Lab
from tests.live.conftest import must, wrong
from tests.live.experiment.test_experiments import RUN_S, latest
from tests.support.stories import shipped

pytestmark = [pytest.mark.live, pytest.mark.slow]
UNPROTECTED = [it for it in shipped(topology.load()) if it.without]


@pytest.fixture
def protected(healthy: Lab) -> Iterator[Lab]:
    """The lab; after the test it has all protections again, whatever the experiment did."""
    yield healthy
    must("lab.provision")


@pytest.mark.parametrize("it", UNPROTECTED, ids=lambda it: it.name)
def test_a_control_finds_trouble_and_leaves_no_trace(
    protected: Lab, machines: dict[str, Machine], it: experiment_file.Plan
) -> None:
    """It passes, so it found the expected failures; afterwards the lab is as before and healthy."""
    haproxy = machines["lb1"].run("cat /etc/haproxy/haproxy.cfg").stdout
    output = must("experiment.run", it.name, timeout=RUN_S)
    summary = json.loads((latest() / "summary.json").read_text(encoding="utf-8"))
    assert (summary["name"], summary["verdict"]) == (it.name, "pass"), output
    assert not choices.load().without and wrong(protected) == []
    assert machines["lb1"].run("cat /etc/haproxy/haproxy.cfg").stdout == haproxy
    for node in protected.having("database"):
        server = server_state.read(node.name, machines[node.name].script(server_state.QUESTION, title="asks").stdout)
        assert server is not None and server.unique_key
