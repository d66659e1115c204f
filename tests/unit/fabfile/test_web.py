"""Role web: how many requests may wait for PHP is read from PHP's listening sockets."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from fabfile import web
from lab import topology
from lab.desired.target import Target
from lab.release import RELEASES
from lab.state.choices import Choices

SOCKETS = ("read", "write", "health")
MOST, PHP_DEFAULT = 8, 511


@pytest.fixture
def listening() -> Iterator[Any]:
    """Opens sockets in a folder, each with its backlog."""
    with ExitStack() as stack:

        def listen(folder: Path, queue: int, names: tuple[str, ...] = SOCKETS) -> None:
            for name in names:
                it = stack.enter_context(socket.socket(socket.AF_UNIX))
                it.bind(str(folder / f"{name}.sock"))
                it.listen(queue)

        yield listen


def holds(folder: Path, without: tuple[str, ...] = ()) -> bool:
    """Whether the role finds the right backlogs for the sockets in this folder."""
    lab = topology.load()
    chosen = Choices(without=without)
    target = Target(lab, lab.node("web1"), next(iter(RELEASES.values())), chosen, {"site_read": "", "site_write": ""})
    (command,) = web.desired(target).commands
    asked = command.ask.replace("/run/php", str(folder))
    return subprocess.run(["bash", "-c", asked], check=False, capture_output=True).returncode == 0


def test_a_queue_that_is_as_it_should_be_needs_no_restart(tmp_path: Path, listening: Any) -> None:
    """Eight requests may wait for each pool."""
    listening(tmp_path, MOST)
    assert holds(tmp_path)


def test_a_reload_kept_the_old_queue(tmp_path: Path, listening: Any) -> None:
    """The sockets still have the backlog that PHP opened them with."""
    listening(tmp_path, PHP_DEFAULT)
    assert not holds(tmp_path)
    assert holds(tmp_path, ("admission",))


def test_a_pool_that_does_not_listen_is_seen(tmp_path: Path, listening: Any) -> None:
    """One of three sockets is missing."""
    listening(tmp_path, MOST, SOCKETS[:2])
    assert not holds(tmp_path)


def test_a_socket_whose_file_is_gone_is_seen(tmp_path: Path, listening: Any) -> None:
    """The kernel still lists it."""
    listening(tmp_path, MOST)
    (tmp_path / "read.sock").unlink()
    assert not holds(tmp_path)
