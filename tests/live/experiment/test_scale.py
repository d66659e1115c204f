"""invoke experiment.scale on the real lab: two servers answer more than one, and an interruption drains nobody."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import experiment_scale
from lab.faults import ledger
from lab.state import choices
from lab.topology import Lab
from lab.wait import until
from tests.live.conftest import must, start, wrong

pytestmark = [pytest.mark.live, pytest.mark.slow]
ALL_S, BEGINS_S, ENDS_S = 900.0, 240.0, 300.0


@pytest.fixture
def own_results() -> Iterator[Path]:
    """The user's results are put aside for the test, and back afterwards."""
    folder = experiment_scale.FOLDER
    kept = {it.name: it.read_bytes() for it in folder.glob("*") if it.is_file()}
    for name in kept:
        (folder / name).unlink()
    yield folder
    for it in folder.glob("*"):
        it.unlink()
    for name, content in kept.items():
        (folder / name).write_bytes(content)


@pytest.mark.usefixtures("own_results")
def test_two_servers_answer_more_and_p95_rises_before_the_limit(healthy: Lab) -> None:
    """Each about what its limit allows; nobody is drained afterwards."""
    one, two = json.loads(must("experiment.scale", "--servers", "1,2", "--json", timeout=ALL_S))["results"]
    assert 0.75 <= one["most_per_s"] / 6 <= 1.1 and 1.6 <= two["most_per_s"] / one["most_per_s"] <= 2.2
    for it in (one, two):
        calm, near, full = (it["steps"][number]["p95_s"] for number in (0, 2, 5))
        assert calm < near < full <= 3, it["steps"]
    assert choices.load().drained == () and ledger.entries() == [] and not wrong(healthy)


def test_an_interruption_drains_nobody_and_the_next_command_goes_on(healthy: Lab, own_results: Path) -> None:
    """Ctrl-C while PHP is limited and web2 is drained: exit 130, and both are as before."""
    running = start("experiment.scale", "--servers", "1")
    until("PHP is limited", lambda: [it["id"] for it in ledger.entries()] == ["web1-php-limit"], BEGINS_S, every=0.5)
    assert choices.load().drained == ("web2",)
    os.killpg(running.pid, signal.SIGINT)
    output, _ = running.communicate(timeout=ENDS_S)
    assert running.returncode == 130 and "goes on" in output, output
    assert ledger.entries() == [] and choices.load().drained == ()
    until("the lab is healthy", lambda: not wrong(healthy), ENDS_S, every=2)
    assert not (own_results / experiment_scale.RESULTS).exists()
