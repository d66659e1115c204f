"""Snapshots of all machines together, memory included: taken and put back while all are paused.

libvirt keeps the snapshot NAME as NAME.1, then NAME.2, ...: it counts once all machines have it, and only
then the one before it goes. What was cut off half-way is never used, and goes with the next of that name.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TypeVar

from lab import process
from lab.errors import BadInput, CheckFailed, InfrastructureBroken, LabError, did_you_mean
from lab.faults import ledger
from lab.mysql import last_seen
from lab.nodes.vm_power import LIBVIRT, PREFIX, provider, states
from lab.state.atomic_file import atomic_write
from lab.topology import ROOT, Lab, Node

CLEAN = "clean"
NAME = re.compile(r"^[a-z0-9][a-z0-9-]{0,30}$")
SNAPSHOT = re.compile(r"^(\S+)\.(\d+)$", re.MULTILINE)
SNAPSHOT_S, POWER_S = 180.0, 30.0
T = TypeVar("T")
RESTORING = ROOT / ".lab" / "restoring"  # there while the machines may be of different times
NAMES = ROOT / ".lab" / "snapshots"  # a name a line, for the shell's TAB: libvirt is too slow to ask


def take(lab: Lab, name: str) -> None:
    """Keep the state of every running machine under `name`; an older one of that name is replaced.

    Raises BadInput for a name that is none, CheckFailed where a machine does not run or a fault is active.
    Whatever fails, the older one is still there.
    """
    _must_be_possible(name)
    faults = [it["id"] for it in ledger.entries()]
    if faults:
        raise CheckFailed(f"no snapshot: {', '.join(faults)} is injected", hint="undo it: invoke fault.heal")
    down = [f"{node} is {state}" for node, state in states(lab).items() if state != "running"]
    if down:
        raise CheckFailed(f"no snapshot: {', '.join(down)}", hint="start them: invoke lab.up")
    stored = _stored(lab)
    generation = 1 + max((number for have in stored.values() for it, number in have if it == name), default=0)
    try:
        with paused(lab):
            fresh = f"{name}.{generation}"
            _on_all(lab, lambda node: _virsh("snapshot-create-as", node, fresh, timeout=SNAPSHOT_S))
    except LabError:
        with suppress(LabError):  # what failed first is to be told
            _drop(lab, name, lambda number: number == generation)
        raise
    remember({name, *(it for have in stored.values() for it, _ in have)})
    _drop(lab, name, lambda number: number < generation)


def put_back(lab: Lab, name: str) -> None:
    """Put every machine back to its snapshot `name`; all go on running together.

    What is remembered of the databases is forgotten. The restore counts as half done until `is_back`. Raises BadInput
    naming the snapshots that all machines have; InfrastructureBroken naming what is paused where it ended half-way:
    machines of different times must not meet.
    """
    _must_be_possible(name)
    known = _complete(lab)
    if name not in known:
        remember(known)
        which = f"; {did_you_mean(name, known)}" if known else ""
        raise BadInput(f"no snapshot {name!r} of all machines{which}", hint="make one: invoke lab.snapshot NAME")
    snapshot = f"{name}.{known[name]}"
    atomic_write(RESTORING, name)
    last_seen.forget()  # before too: what is known is of another time as soon as one machine is back
    try:
        _on_all(lab, lambda node: _virsh("snapshot-revert", node, snapshot, "--paused", "--force", timeout=SNAPSHOT_S))
        _on_all(lab, lambda node: _virsh("resume", node))
    except LabError as error:
        what = f"snapshot {name} is not back: {_standing(lab)}"
        raise InfrastructureBroken(
            what, evidence=str(error), hint=f"run it again: invoke lab.restore {name}"
        ) from error
    last_seen.forget()


def remember(found: Collection[str]) -> None:
    """Write down which snapshots there are, where the shell finds them; on a full disk the shell knows less."""
    with suppress(OSError):
        atomic_write(NAMES, "".join(f"{name}\n" for name in sorted(found)))


def is_back() -> None:
    """The restore is done: machines and clocks."""
    RESTORING.unlink(missing_ok=True)


def must_be_back() -> None:
    """Raise CheckFailed where a restore ended half-way: machines of different times must not go on together."""
    if RESTORING.exists():
        name = RESTORING.read_text(encoding="utf-8")
        what = f"snapshot {name} was put back in part only"
        raise CheckFailed(what, hint=f"invoke lab.restore {name}, or invoke lab.destroy")


def names(lab: Lab) -> list[str]:
    """The snapshots that every machine has, in order of the alphabet."""
    return list(_complete(lab)) if provider() == "libvirt" else []


def lacking(lab: Lab, name: str) -> list[str]:
    """The nodes that have no snapshot of that name."""
    return [node.name for node, have in _stored(lab).items() if name not in {it for it, _ in have}]


@contextmanager
def paused(lab: Lab) -> Iterator[None]:
    """Hold all machines still; they go on whatever happens inside. InfrastructureBroken names those that do not."""
    try:
        _on_all(lab, lambda node: _virsh("suspend", node))
        yield
    finally:
        _on_all(lab, lambda node: _virsh("resume", node, ok=(0, 1)))  # 1: it was not paused
        still = [node for node, state in states(lab).items() if state == "paused"]
        if still:
            raise InfrastructureBroken(f"still paused: {', '.join(still)}", hint="let them go on: invoke lab.up")


def _complete(lab: Lab) -> dict[str, int]:
    """Each snapshot that every machine has, with its newest generation."""
    return dict(sorted(set.intersection(*_stored(lab).values())))  # of one name the last, so the newest, stays


def _stored(lab: Lab) -> dict[Node, set[tuple[str, int]]]:
    """What libvirt has of each machine: names and generations."""
    texts = _on_all(lab, lambda node: _virsh("snapshot-list", node, "--name"))
    found = [{(name, int(number)) for name, number in SNAPSHOT.findall(text)} for text in texts]
    return dict(zip(lab.nodes, found, strict=True))


def _drop(lab: Lab, name: str, which: Callable[[int], bool]) -> None:
    """Remove generations of a snapshot; one that cannot be removed now goes with the next."""
    stored = _stored(lab)

    def drop(node: Node) -> None:
        for it, number in sorted(stored[node]):
            if it == name and which(number):
                _virsh("snapshot-delete", node, f"{it}.{number}", ok=(0, 1), timeout=SNAPSHOT_S)

    _on_all(lab, drop)


def _must_be_possible(name: str) -> None:
    if not NAME.match(name):
        raise BadInput(f"{name!r} is no name for a snapshot", hint="use small letters, digits and '-', 31 at most")
    if provider() != "libvirt":
        raise InfrastructureBroken(
            f"snapshots of running machines are only made with libvirt, this lab uses {provider()}",
            hint="vagrant snapshot save NAME, for each machine that is off",
        )


def _standing(lab: Lab) -> str:
    try:
        return ", ".join(f"{node} is {state}" for node, state in states(lab).items())
    except LabError as error:
        return error.what


def _on_all(lab: Lab, work: Callable[[Node], T]) -> list[T]:
    with ThreadPoolExecutor(max_workers=len(lab.nodes)) as pool:
        return list(pool.map(work, lab.nodes))


def _virsh(command: str, node: Node, *words: str, ok: Sequence[int] = (0,), timeout: float = POWER_S) -> str:
    return process.run([*LIBVIRT, command, PREFIX + node.name, *words], timeout=timeout, ok=ok).output
