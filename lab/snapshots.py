"""Snapshots of all machines together, memory included: taken and put back while all are paused."""

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from lab import process
from lab.errors import BadInput, CheckFailed, RigBroken
from lab.hypervisor import LIBVIRT, PREFIX, provider, states
from lab.topology import Lab, Node

CLEAN = "clean"
NAME = re.compile(r"^[a-z0-9][a-z0-9-]{0,30}$")
SNAPSHOT_S, POWER_S = 180.0, 30.0


def take(lab: Lab, name: str) -> None:
    """Keep the state of every running machine under `name`; an older one of that name is replaced.

    Raises BadInput for a name that is none, CheckFailed where a machine does not run.
    """
    _must_be_possible(name)
    down = [f"{node} is {state}" for node, state in states(lab).items() if state != "running"]
    if down:
        raise CheckFailed(f"no snapshot: {', '.join(down)}", hint="start them: invoke lab.up")
    with paused(lab):
        _on_all(lab, lambda node: _replace(node, name))


def put_back(lab: Lab, name: str) -> None:
    """Put every machine back to its snapshot `name`; all go on running together.

    Raises BadInput naming the snapshots that all machines have.
    """
    _must_be_possible(name)
    known = names(lab)
    if name not in known:
        hint = f"there are: {', '.join(known)}" if known else "make one: invoke lab.snapshot NAME"
        raise BadInput(f"no snapshot {name!r} of all machines", hint=hint)
    _on_all(lab, lambda node: _virsh("snapshot-revert", node, name, "--paused", "--force", timeout=SNAPSHOT_S))
    _on_all(lab, lambda node: _virsh("resume", node))


def names(lab: Lab) -> list[str]:
    """The snapshots that every machine has, oldest first."""
    if provider() != "libvirt":
        return []
    have = [_virsh("snapshot-list", node, "--name").split() for node in lab.nodes]
    return [name for name in have[0] if all(name in others for others in have[1:])]


@contextmanager
def paused(lab: Lab) -> Iterator[None]:
    """Hold all machines still; they go on whatever happens inside."""
    try:
        _on_all(lab, lambda node: _virsh("suspend", node))
        yield
    finally:
        _on_all(lab, lambda node: _virsh("resume", node, ok=(0, 1)))


def _replace(node: Node, name: str) -> None:
    _virsh("snapshot-delete", node, name, ok=(0, 1), timeout=SNAPSHOT_S)
    _virsh("snapshot-create-as", node, name, timeout=SNAPSHOT_S)


def _must_be_possible(name: str) -> None:
    if not NAME.match(name):
        raise BadInput(f"{name!r} is no name for a snapshot", hint="use small letters, digits and '-', 31 at most")
    if provider() != "libvirt":
        raise RigBroken(
            f"snapshots of running machines are only made with libvirt, this lab uses {provider()}",
            hint="vagrant snapshot save NAME, for each machine that is off",
        )


def _on_all(lab: Lab, work: Callable[[Node], object]) -> None:
    with ThreadPoolExecutor(max_workers=len(lab.nodes)) as pool:
        list(pool.map(work, lab.nodes))


def _virsh(command: str, node: Node, *words: str, ok: Sequence[int] = (0,), timeout: float = POWER_S) -> str:
    return process.run([*LIBVIRT, command, PREFIX + node.name, *words], timeout=timeout, ok=ok).output
