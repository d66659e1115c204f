"""Exercises on the real lab: not yet after the start, right after the solution, not yet again after the reset."""

import json
import time
from collections.abc import Iterator

import pytest

from lab.exercises import progress_file
from lab.topology import Lab
from lab.wait import until
from tests.live.conftest import RESET_S, invoke, must, start, wrong

pytestmark = pytest.mark.live
CHECK_S = 15.0  # the promise of a check
SOLVE_S, CONTROL_S = 900.0, 900.0
DEAD_S = 20.0


@pytest.fixture
def own_progress() -> Iterator[None]:
    """The user's progress is put aside for the test, and back afterwards."""
    file = progress_file.FILE
    kept = file.read_bytes() if file.exists() else None
    file.unlink(missing_ok=True)
    yield
    file.unlink(missing_ok=True)
    if kept is not None:
        file.write_bytes(kept)


def check(*words: str) -> tuple[int, str]:
    """The exit code and the output of a check, which takes no longer than promised."""
    began = time.monotonic()
    done = invoke("exercise.check", *words)
    assert time.monotonic() - began <= CHECK_S, f"the check took {time.monotonic() - began:.1f} s\n{done.stderr}"
    return done.returncode, done.stdout


@pytest.mark.usefixtures("own_progress")
def test_one_request_is_followed(healthy: Lab) -> None:
    """The answers come from this lab; its reset may leave the lab as it is."""
    must("exercise.start", "01", "--predict", "same=same machines=3")
    assert check()[0] == 1
    assert check("--answer", "address=192.168.56.11 pair=web2:web1")[0] == 1
    must("exercise.solve", timeout=SOLVE_S)
    code, shown = check()
    assert code == 0, shown
    assert "predicted: 3; measured: 2" in shown
    must("exercise.reset", "--keep-lab")
    assert check("01")[0] == 1


@pytest.mark.slow
@pytest.mark.usefixtures("own_progress")
def test_a_web_server_is_killed(healthy: Lab) -> None:
    """By the solution; then lab and exercise are reset."""
    must("exercise.start", "03", "--predict", "failed=0 noticed=5")
    assert check()[0] == 1
    must("exercise.solve", timeout=SOLVE_S)
    code, shown = check()
    assert code == 0, shown
    must("exercise.reset", timeout=RESET_S)
    assert check("03")[0] == 1
    must("exercise.start", "03")
    assert check("03")[0] == 1  # the run from before the start does not count


@pytest.mark.slow
@pytest.mark.usefixtures("own_progress")
def test_a_web_server_is_killed_by_hand(healthy: Lab) -> None:
    """Under the load of an experiment that breaks nothing; until it is back, one goal is not true."""
    must("exercise.start", "03")
    running = start("experiment.run", "control")
    assert running.stdout
    for line in running.stdout:
        if "measures" in line:
            break
    must("lab.exec", "web2", "sleep 10; systemctl kill -s KILL nginx")
    until("HAProxy says DOWN", lambda: any("web2 is DOWN" in it for it in wrong(healthy)), 30, every=1)
    time_out = time.monotonic() + DEAD_S
    until("the reads were sent meanwhile", lambda: time.monotonic() >= time_out, 2 * DEAD_S, every=1)
    must("lab.exec", "web2", "systemctl start nginx")
    running.communicate(timeout=CONTROL_S)
    goals = {it["id"]: it for it in json.loads(check("--answer", "why=retry", "--json")[1])["goals"]}
    assert all(goals[it]["reached"] for it in ("killed", "measured", "why", "back")), goals
    must("lab.exec", "web2", "systemctl stop nginx")
    until("web2 is DOWN", lambda: any("web2 is DOWN" in it for it in wrong(healthy)), 30, every=1)
    shown = check()[1]
    assert "web2 is DOWN in HAProxy" in shown and "lab.reset" in shown
    must("lab.provision", timeout=RESET_S)
