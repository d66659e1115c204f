"""Two comparisons on the real lab: one pair of settings differs, one does not; an interrupted one goes on."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from lab.analysis import comparison_folder
from lab.analysis.compared import Compared
from lab.analysis.run_folder import RUNS
from lab.faults import ledger
from lab.state import choices
from lab.wait import until
from tests.live.conftest import invoke, must, start

LONG_S = 3600.0
ALGORITHMS = ("web2-slow", "--a", "algorithm=roundrobin", "--b", "algorithm=leastconn")
WEIGHTS = (
    "control",
    *("--a", "weights.web1=100,weights.web2=100"),
    *("--b", "weights.web1=50,weights.web2=50"),
)


def newest(name: str) -> Path:
    """The folder of the newest comparison of an experiment."""
    return sorted(RUNS.glob(f"*-compare-{name}/{comparison_folder.ABOUT}"))[-1].parent


def compared(*words: str) -> Compared:
    """A whole comparison, measured anew, and what came of it."""
    sys.stderr.write(must("experiment.compare", *words, "--again", timeout=LONG_S))
    return Compared.read(newest(words[0]))


@pytest.mark.slow
def test_leastconn_differs_from_roundrobin_where_one_server_is_slow(healthy: object) -> None:
    """It sends web2 fewer requests; the user's choices are in force afterwards, and nothing is broken."""
    before = choices.load()
    found = compared(*ALGORITHMS)
    share = next(it for it in found.differences if it.measure.key == "share-web2")
    assert share.differs and share.b_minus_a < 0, share
    assert choices.load() == before and ledger.entries() == []
    assert json.loads(must("lb.status", "--json"))["errors"] == []


@pytest.mark.slow
def test_equal_shares_by_other_weights_do_not_differ(healthy: object) -> None:
    """By chance they do in one of twenty comparisons: run it once more before anything is looked for."""
    found = compared(*WEIGHTS)
    assert [it.measure.words for it in found.differences if it.differs] == []


@pytest.mark.slow
def test_an_interrupted_comparison_says_what_it_has_and_goes_on(healthy: object) -> None:
    """Ctrl-C in the fourth round: no fault, the user's choices, and the next start has three rounds already."""
    warm_up = f"warm_up_s={5 + time.time() % 1:.6f}"  # no earlier comparison had it
    short = ("control", "--a", f"algorithm=roundrobin,{warm_up}", "--b", f"algorithm=random,{warm_up}", "--repeat", "9")
    before = set(RUNS.glob("*-compare-control"))
    running = start("experiment.compare", *short)
    until("the comparison begins", lambda: set(RUNS.glob("*-compare-control")) - before, 60)
    until("three rounds", lambda: len(comparison_folder.rounds(newest("control"))) == 3, 600)
    os.killpg(running.pid, signal.SIGINT)
    output, _ = running.communicate(timeout=180)
    assert running.returncode == 130 and "1 of 9 pairs of rounds are complete" in output, output
    assert choices.load().algorithm == json.loads(must("lb.status", "--json"))["algorithm"]
    assert ledger.entries() == []
    again = invoke("experiment.compare", *short, timeout=LONG_S)
    assert again.returncode == 0 and "3 of them are complete" in again.stdout, again.stdout
