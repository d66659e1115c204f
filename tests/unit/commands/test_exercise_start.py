"""invoke exercise.start: when it refuses, and what it asks. The lab is a double."""

import io
from typing import Any

import pytest
from invoke.context import Context

from commands import exercise as command
from lab.errors import LabNotUp
from lab.exercises import progress_file
from lab.operations import status
from tests.support.exercise_doubles import Double, code, installed, message
from tests.support.exercise_stories import NODES
from tests.support.exercise_stories import status as status_of

C = Context()
RIGHT = "address=192.168.56.10 servers=web1,web2 pair=web2:web2 writes=web1 path=dns,haproxy,nginx,php,mysql"


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Double:
    """The lab, and nobody at a terminal."""
    return installed(monkeypatch)


@pytest.mark.parametrize(
    ("changes", "exit_code", "words"),
    [
        ({"running": "`invoke lab.up` (process 1, for 2 s)"}, 7, "lab.up"),
        ({"faults": [{"id": "web2-freeze"}]}, 1, "fault.heal"),
        ({"nodes": [*NODES[:2], {**NODES[2], "state": "off"}]}, 3, "lab.up"),
        ({"stage": "secured"}, 1, "lab.reset"),
        ({"balancer": {**status_of()["balancer"], "drained": ["web1"]}}, 1, "lb.ready web1"),
        ({"balancer": {**status_of()["balancer"], "mode": "active-passive"}}, 1, "lb.mode active-active"),
        ({"balancer": {**status_of()["balancer"], "servers": []}}, 1, "topologies"),
        ({"errors": ["web2: nginx is inactive"]}, 3, "nginx is inactive"),
    ],
    ids=["another command", "a fault", "half up", "stage", "drained", "mode", "too few servers", "not healthy"],
)
def test_start_refuses_with_the_way_out(double: Double, changes: dict[str, Any], exit_code: int, words: str) -> None:
    """And nothing is started."""
    double.status = status_of(**changes)
    assert code(lambda: command.start(C, "3")) == exit_code
    assert words in message(lambda: command.start(C, "3"))
    assert progress_file.load().attempts == {}


def test_start_refuses_where_no_lab_is(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    """As every command."""

    def none(_: object) -> None:
        raise LabNotUp("no lab is up in this checkout")

    monkeypatch.setattr(status, "collect", none)
    assert code(lambda: command.start(C, "3")) == 3


def test_one_exercise_at_a_time(double: Double) -> None:
    """A started one is given up by a reset, which may leave the lab as it is; a done one is no obstacle."""
    command.start(C, "3")
    assert "exercise.reset 03" in message(lambda: command.start(C, "3"))
    assert "exercise.reset 03" in message(lambda: command.start(C, "1"))
    command.reset(C, "3", keep_lab=True)
    assert double.resets == 0
    command.start(C, "1")
    assert code(lambda: command.check(C, "1", answer=RIGHT)) == 0
    command.start(C, "3")
    assert progress_file.load().current.startswith("03")


def test_without_a_terminal_the_prediction_is_missing(double: Double, capsys: pytest.CaptureFixture[str]) -> None:
    """It begins all the same, and says how to predict."""
    command.start(C, "3")
    out, err = capsys.readouterr()
    assert "no prediction for failed, noticed" in err and "no prediction was stored" in out


def test_a_terminal_is_asked(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the answer can be read; ? is no prediction."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal("many\n12\n?\n"))
    command.start(C, "3")
    (attempt,) = progress_file.load().attempts.values()
    assert attempt.predictions == {"failed": "12"}
