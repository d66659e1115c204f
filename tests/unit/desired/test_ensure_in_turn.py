"""What serves nobody while it is changed: one node after the other."""

import shlex
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import cast

import pytest

from fabfile.web import NEW_PROCESSES
from lab import topology
from lab.desired.ensure import apply
from lab.desired.state import Command, Difference, Unit
from lab.nodes.ssh import Answer, Machine
from lab.wait import pause
from tests.support.fake_node import bash, fake, places

__all__ = ["places"]  # the fixture that puts a fake node's commands first


class Busy:
    """A node on which nothing happens, but some of it takes a while; how many did that at once."""

    now, most, done = 0, 0, 0
    node = topology.load().node("web1")

    def script(self, text: str, **_: object) -> Answer:
        """Only the command itself counts."""
        if "restart" in text:
            Busy.now += 1
            Busy.most = max(Busy.most, Busy.now)
            pause(0.05)
            Busy.now, Busy.done = Busy.now - 1, Busy.done + 1
        return Answer(0, "", "")


RESTART = Command("restarts", "false", "restart", in_turn=True)
RELOAD = Unit("thing.service", watches=("/etc/thing.conf",), on_change="restart")


@pytest.mark.parametrize(
    ("due", "most"),
    [
        (Difference(commands=(RESTART,)), 1),
        (Difference(reactions=(RELOAD,)), 1),
        (Difference(reactions=(RELOAD,), starts=("other.service",)), 3),
    ],
    ids=["a command in turn", "a service reacts", "a new node"],
)
def test_what_serves_nobody_meanwhile_happens_on_one_node_after_the_other(
    due: Difference, most: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others serve, and say that they wait. Nodes on which services have yet to be started are made at once."""
    Busy.most = Busy.done = 0
    everyone = Barrier(3)

    def change(_: int) -> None:
        everyone.wait(5)
        apply(cast(Machine, Busy()), due)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(change, range(3)))
    assert (Busy.most, Busy.done) == (most, 3)
    assert capsys.readouterr().err.count("waits for its turn") == (2 if most == 1 else 0)


def test_a_reload_is_over_when_new_processes_serve(tmp_path: Path) -> None:
    """PHP ends its processes and starts others; the reload itself only asks for that."""
    later = "sleep 0.3; kill $(cat children); rm children; sleep 0.3; echo $$ > children"
    fake(tmp_path, "systemctl", f'[ "$1" = show ] && echo 4711 || ({later}) >/dev/null 2>&1 &')
    fake(tmp_path, "pgrep", "cat children 2>/dev/null")
    with subprocess.Popen(["sleep", "30"]) as old, ThreadPoolExecutor(1) as parent:
        parent.submit(old.wait)
        (tmp_path / "children").write_text(f"{old.pid}\n")
        began = time.monotonic()
        reload = f"timeout 10 bash -c {shlex.quote(NEW_PROCESSES % 'php8.4-fpm')} waits systemctl reload php8.4-fpm"
        assert bash(reload).returncode == 0
        assert time.monotonic() - began > 0.5 and old.poll() is not None
