"""invoke experiment.spof on the real lab: what it finds, and that an interruption leaves nothing broken."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import experiment_spof
from lab.faults import ledger
from lab.topology import Lab
from lab.wait import until
from tests.live.conftest import must, start, wrong

pytestmark = [pytest.mark.live, pytest.mark.slow]
COMPONENT_S, ALL_S, FIGURE_S = 300.0, 2400.0, 1200.0
KILLED_S, ENDS_S = 300.0, 300.0


@pytest.fixture
def own_results(tmp_path: Path) -> Iterator[None]:
    """The user's results and predictions are put aside for the test, and back afterwards."""
    kept = {it.name: it.read_bytes() for it in experiment_spof.FOLDER.glob("*") if it.is_file()}
    for name in kept:
        (experiment_spof.FOLDER / name).unlink()
    yield
    for it in experiment_spof.FOLDER.glob("*"):
        it.unlink()
    for name, content in kept.items():
        (experiment_spof.FOLDER / name).write_bytes(content)


@pytest.mark.usefixtures("own_results")
def test_a_dead_name_server_is_a_single_point_that_no_request_shows(healthy: Lab) -> None:
    """Names fail, reads and writes go on, and nothing in the lab notices."""
    (it,) = _measured("lb1-dnsmasq")
    assert (it["failing"], it["noticed_s"]) == (["names"], None)
    assert it["reads"]["end"][0] == it["writes"]["end"][0] == 0 and it["recovered_s"] is not None


@pytest.mark.usefixtures("own_results")
def test_an_interruption_heals_and_the_next_command_goes_on(healthy: Lab) -> None:
    """Ctrl-C while the primary is off: exit 130, no fault is left, writes work, what was measured is kept."""
    running = start("experiment.spof", "--only", "lb1-dnsmasq,web1")
    until("web1 is off", lambda: "web1-power-off" in [it["id"] for it in ledger.entries()], KILLED_S, every=0.5)
    os.killpg(running.pid, signal.SIGINT)
    output, _ = running.communicate(timeout=ENDS_S)
    assert running.returncode == 130, output
    assert ledger.entries() == [] and "goes on" in output
    until("the lab is healthy", lambda: not wrong(healthy), ENDS_S, every=2)
    kept = json.loads((experiment_spof.FOLDER / experiment_spof.RESULTS).read_text(encoding="utf-8"))
    assert kept["name"] == "lb1-dnsmasq"
    assert [it["name"] for it in _measured("lb1-dnsmasq,web1")] == ["lb1-dnsmasq", "web1"]


@pytest.mark.usefixtures("own_results")
def test_everything_is_measured_within_twenty_minutes(healthy: Lab) -> None:
    """The balancer and the primary are single points of failure; the web services are not."""
    began = time.monotonic()
    found = {it["name"]: it["failing"] for it in _measured("")}
    took_s = time.monotonic() - began
    sys.stderr.write(f"\nexperiment.spof took {took_s / 60:.1f} minutes\n")
    assert found["lb1"] == ["reads", "writes", "names"] and found["lb1-haproxy"] == ["reads", "writes"]
    assert found["web1"] == found["web1-mysql"] == ["writes"]
    assert [name for name in found if name.endswith(("nginx", "php-fpm")) and found[name]] == []
    assert took_s < FIGURE_S


def _measured(only: str) -> list[dict[str, Any]]:
    words = ["--only", only] if only else []
    said = must("experiment.spof", "--json", *words, timeout=COMPONENT_S * 2 if only else ALL_S)
    return list(json.loads(said)["components"])
