"""Make it so: what a node should have, asked in one round trip and changed in one more."""

import base64
import difflib
import hashlib
import threading
from collections.abc import Iterator, Set
from contextlib import contextmanager, nullcontext

from lab import progress
from lab.desired.scripts import apply_script, probe_script, read_probe, read_show, show_script
from lab.desired.state import Desired, Difference, File, Found, Unit, fingerprint
from lab.errors import CommandFailed
from lab.nodes.ssh import Machine
from lab.wait import working

PROBE_TIMEOUT_S = 60.0
APPLY_TIMEOUT_S = 900.0
TURN_TIMEOUT_S = 90.0
_TURN = threading.Lock()
WAITS = "waits for its turn: another node is changed first"
UNIT_FILES = "/etc/systemd/system/"


def ask(machine: Machine, desired: Desired) -> Found:
    """Ask a node about all that is desired of it: one round trip."""
    answer = machine.script(probe_script(desired), timeout=PROBE_TIMEOUT_S, title="asks what is there")
    return read_probe(answer.stdout)


def compare(desired: Desired, found: Found) -> Difference:
    """What must change, as data; touches no host."""
    files = tuple(file for file in desired.files if found.files.get(file.path) != fingerprint(file))
    changed = {file.path for file in files}
    reacting = [unit for unit in desired.units if _reacts(unit, changed, found)]
    return Difference(
        packages=tuple(name for name in desired.packages if name not in found.packages),
        files=files,
        reload=found.stale or any(path.startswith(UNIT_FILES) for path in changed),
        reactions=tuple(unit for unit in reacting if not unit.in_turn),
        starts=tuple(unit.name for unit in desired.units if found.units.get(unit.name) != "active enabled"),
        commands=tuple(it for it in desired.commands if found.commands.get(it.name) != 0),
        later=tuple(unit for unit in reacting if unit.in_turn),
    )


def _reacts(unit: Unit, changed: Set[str], found: Found) -> bool:
    """A unit that does not run reads its new files when it is started; one that runs has to be told."""
    runs = found.units.get(unit.name, "").startswith("active ")
    triggered = unit.name in found.pending or not changed.isdisjoint(unit.watches)
    return bool(unit.on_change) and runs and triggered


def apply(machine: Machine, difference: Difference) -> None:
    """Change what differs: one round trip, and one for each command in turn.

    Where services react that serve already, one node changes after the other. A file that its checker refuses leaves
    everything as it was. Raises CommandFailed with the step that failed and what it printed.
    """
    title = f"changes: {str(difference)[:90]}"
    try:
        with _turn(machine) if _disturbs(difference) else nullcontext():
            machine.script(apply_script(difference), timeout=APPLY_TIMEOUT_S, title=title)
        for command in (it for it in difference.commands if it.in_turn):
            with _turn(machine):
                machine.script(command.do, timeout=TURN_TIMEOUT_S, title=command.name)
    except CommandFailed as error:
        error.hint = "correct the cause and run it again: invoke lab.provision"
        raise


@contextmanager
def _turn(machine: Machine) -> Iterator[None]:
    """In the block no other node is changed; a node that waits for that says so."""
    if not _TURN.acquire(blocking=False):
        progress.say(machine.node.name, WAITS)
        with working(machine.node.name, WAITS):
            _TURN.acquire()
    try:
        yield
    finally:
        _TURN.release()


def _disturbs(difference: Difference) -> bool:
    """Whether a service reacts that serves already; a new node has others to start first."""
    return bool(difference.reactions) and not (difference.packages or difference.starts)


def show(machine: Machine, difference: Difference) -> str:
    """What would change in the files, as unified diffs: one round trip, none where no file differs.

    The content of a file that holds passwords is neither fetched nor shown.
    """
    if not difference.files:
        return ""
    script = show_script(difference.files)
    answer = machine.script(script, timeout=PROBE_TIMEOUT_S, title="asks what the files hold")
    there = read_show(answer.stdout)
    parts = zip(difference.files, there, strict=True)
    return "\n".join(line for file, (rights, content) in parts for line in _shown(file, rights, content))


def _shown(file: File, rights: str, content: str) -> list[str]:
    wanted = f"{file.mode} {file.owner}"
    lines = [f"{file.path}: is {rights}, should be {wanted}"] if rights not in ("", wanted) else []
    if not file.secret:
        return lines + _diff(file, base64.b64decode(content).decode(errors="replace"))
    if content != hashlib.sha256(file.text.encode()).hexdigest():
        lines.append(f"{file.path}: content differs (not shown: it holds passwords)")
    return lines


def _diff(file: File, now: str) -> list[str]:
    names = f"{file.path} (now)", f"{file.path} (as it should be)"
    return list(difflib.unified_diff(_lines(now), _lines(file.text), *names, lineterm=""))


def _lines(text: str) -> list[str]:
    *lines, rest = text.split("\n")
    return [*lines, f"{rest}\n\\ No newline at end of file"] if rest else lines
