"""The clean snapshot: how the lab was right after it was made, and the way back to it.

Its record is written when the lab begins to be made. A lab whose record or snapshot was lost since is a used one: it is
never kept as clean. Nor is one in which somebody wrote, logged in or changed the roles before there was a snapshot.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import yaml

from lab import progress
from lab.desired.state import fingerprint
from lab.desired.target import Roles, Target
from lab.errors import CheckFailed
from lab.mysql import last_seen
from lab.nodes import lifecycle, vm_power
from lab.nodes.facts import databases_of
from lab.nodes.ssh import Machine
from lab.operations import converge, snapshots
from lab.operations.converge import Outcome
from lab.operations.restore import restore
from lab.release import Release
from lab.replication import accounts
from lab.replication.mysql_cli import sql
from lab.state import choices, credentials
from lab.state.atomic_file import atomic_write
from lab.state.choices import DEFAULTS, Choices
from lab.topology import ROOT, Lab
from lab.wait import until

RECORD = ROOT / ".lab" / "clean.yml"
MACHINE_CHOICES = ("provider", "box")  # they say what the machines are, not how they are set
# In the place of a configuration's hash.
MAKING, STALE, USED = "the lab is being made", "the snapshot is to be taken anew", "the lab was used without a snapshot"
UP = "invoke lab.up; then again: invoke lab.reset"
ANEW = "make the lab anew: invoke lab.destroy lab.up"
ANSWERS_S = 60.0
# A write under way has a session of its own: its note comes when nobody looks any more.
WRITTEN = """SELECT (SELECT COUNT(*) FROM site.notes) + (SELECT COUNT(*) FROM site.repeats) +
(SELECT COUNT(*) FROM performance_schema.processlist WHERE user = 'site_write')"""
EMPTY = "TRUNCATE TABLE site.repeats;\nTRUNCATE TABLE site.notes;"


def begin(lab: Lab) -> None:
    """Where no machine is there yet, record that the lab is being made; what is known of an earlier one is void."""
    if set(vm_power.states(lab).values()) == {"absent"}:
        _write(MAKING, {})
        last_seen.forget()


def keep(lab: Lab, roles: Roles, systems: dict[str, str], machines: Sequence[Machine] = ()) -> None:
    """Take the clean snapshot of a lab that was just made; `systems` are the nodes' /etc/os-release.

    Where the snapshot of a used lab is missing, it says so and how to get one: what somebody wrote is not deleted here.
    `machines`: connections to the nodes, where there are some already.
    """
    if vm_power.provider() != "libvirt":
        return
    missing = _missing(lab)
    if not missing:
        return
    databases = _databases(lab, machines)
    used = _in_use(lab, databases) if _record().get("configuration") == MAKING else "this lab was in use"
    if not used:
        _take(lab, roles, systems, databases)
        return
    touched()
    progress.say("host", f"{missing}, and {used}: lab.reset can't put it back; {ANEW}")


def touched() -> None:
    """Somebody may have changed a lab that is still being made: what it is now is not how it is made."""
    if _record().get("configuration") == MAKING:
        _write(USED, {})


def reset(lab: Lab, roles: Roles) -> list[str]:
    """Put the lab back to the clean snapshot and forget all choices; returns what a converge changed after it.

    A snapshot of another configuration is converged before the lab is waited for, and taken anew, also of web servers
    that were added since. Raises CheckFailed, before anything is changed, where there is none or a machine is missing.
    """
    record = _clean_or_refused(lab)
    had_it = _that_had_it(lab, record)
    _must_run(lab, had_it)
    choices.forget(MACHINE_CHOICES)
    if had_it == lab and _is_of_today(lab, roles, record):
        restore(lab, snapshots.CLEAN)
        return []
    outcomes: list[Outcome] = []
    why = "the clean snapshot is of another configuration: it is converged and taken anew"
    restore(had_it, snapshots.CLEAN, lambda: outcomes.append(_converged(lab, roles, why)))
    _write(STALE, record["systems"])  # a new snapshot must not have the old configuration on record
    databases = _databases(lab, outcomes[0].machines)
    _empty(lab, databases)
    _take(lab, roles, outcomes[0].systems, databases)
    return outcomes[0].changed


def put_back(lab: Lab, roles: Roles, name: str) -> list[str]:
    """Put the lab back to any snapshot, with the choices and the configuration of today; what that changed after it."""
    choices.load()  # refused before a machine is put back, not after it
    changed: list[str] = []
    why = f"what {name} has of older choices and of an older configuration is converged"
    restore(lab, name, lambda: changed.extend(_converged(lab, roles, why).changed))
    return changed


def configuration(lab: Lab, roles: Roles, systems: Mapping[str, str], chosen: Choices) -> str:
    """A hash of the box, of what was chosen, and of every file that the roles write with it."""
    passwords = credentials.passwords(it.name for it in accounts.load(lab))
    digest = hashlib.sha256(yaml.safe_dump([vm_power.found()["box"], hashed(chosen)]).encode())
    for node in lab.nodes:
        target = Target(lab, node, Release.of(systems[node.name]), chosen, passwords)
        for file in converge.desired(target, roles).files:
            digest.update(f"{node.name} {file.path} {fingerprint(file)}\n".encode())
    return digest.hexdigest()


def hashed(chosen: Choices) -> dict[str, Any]:
    """What is hashed of the choices; the durability always: a lab of an earlier version keeps its clean snapshot."""
    settings = {"durability": chosen.durability.value, **chosen.differing()}
    return {name: value for name, value in settings.items() if name not in MACHINE_CHOICES}


def _is_of_today(lab: Lab, roles: Roles, record: Mapping[str, Any]) -> bool:
    """Whether the clean snapshot is of the configuration that is wanted now."""
    if any(node.name not in record["systems"] for node in lab.nodes):
        return False
    return bool(record["configuration"] == configuration(lab, roles, record["systems"], DEFAULTS))


def _converged(lab: Lab, roles: Roles, why: str) -> Outcome:
    progress.say("host", why)
    machines = lifecycle.running(lab, "database")
    answer = "every MySQL answers"
    until(answer, lambda: None not in databases_of(machines).values(), ANSWERS_S, where="lab", hint="invoke lab.logs")
    return converge.everything(lab, roles)


def _clean_or_refused(lab: Lab) -> dict[str, Any]:
    if vm_power.provider() != "libvirt":
        raise CheckFailed(
            f"there are no snapshots with {vm_power.provider()}",
            hint="repair the configuration: invoke lab.provision; or make the lab anew: invoke lab.destroy lab.up",
        )
    absent = [name for name, state in vm_power.states(lab).items() if state == "absent"]
    if absent:  # libvirt cannot be asked for its snapshots either
        raise CheckFailed(f"{', '.join(absent)} is not made yet; nothing was changed", hint=UP)
    missing = _missing(lab)
    if missing:
        raise CheckFailed(f"there is no clean snapshot to go back to: {missing}", hint=ANEW)
    return _record()


def _missing(lab: Lab) -> str:
    """What is missing of the clean snapshot, in words; '' where all is there."""
    record = _record()
    if not record:
        return "the clean snapshot's record is missing"
    had_it = _that_had_it(lab, record)
    if snapshots.CLEAN in snapshots.names(had_it):
        return ""
    nodes = snapshots.lacking(had_it, snapshots.CLEAN)
    return f"the clean snapshot{' of ' if nodes else ''}{', '.join(nodes)} is missing"


def _that_had_it(lab: Lab, record: Mapping[str, Any]) -> Lab:
    """The lab without the nodes that came after the clean snapshot and hold no data: a converge makes those clean.

    A web server that left lab.yml and came back is on record, but its machine is another one, without a snapshot.
    """
    known = [node for node in lab.nodes if node.name in (record["systems"] or [node.name]) or "database" in node.roles]
    lacking = snapshots.lacking(lab, snapshots.CLEAN)
    anew = [node for node in lab.remote_readers if node.name in lacking]
    return replace(lab, nodes=tuple(node for node in known if node not in anew))


def _must_run(lab: Lab, had_it: Lab) -> None:
    """A machine without a snapshot is not started by putting the others back, and the new snapshot needs all."""
    states = vm_power.states(lab)
    off = [f"{node.name} is {states[node.name]}" for node in lab.nodes if node not in had_it.nodes]
    off = [line for line in off if not line.endswith(" is running")]
    if off:
        raise CheckFailed(f"no clean snapshot of it, and {', '.join(off)}; nothing was changed", hint=UP)


def _databases(lab: Lab, machines: Sequence[Machine]) -> list[Machine]:
    """The connections to databases; new ones where `machines` has none, and each costs an emulated node time."""
    return [it for it in machines if "database" in it.node.roles] or lifecycle.running(lab, "database")


def _in_use(lab: Lab, databases: Sequence[Machine]) -> str:
    """Why this is not how the lab is made, in words: other roles, or what visitors wrote; '' where it is."""
    return _other_roles(lab, databases) or ("visitors wrote" if _written(lab, databases) else "")


def _other_roles(lab: Lab, databases: Sequence[Machine]) -> str:
    """Says so where it is not certain that lab.yml's first database, and only that, is open for writes."""
    asked = databases_of(databases)
    first = lab.having("database")[0].name
    certain = [name for name, it in asked.items() if it is None or it.writable] == [first] and asked[first]
    return "" if certain else f"{first} alone should be open for writes"


def _written(lab: Lab, databases: Sequence[Machine]) -> bool:
    count = _first(lab, databases).script(f'mysql -N -e "{WRITTEN}"', title="counts what visitors wrote")
    return count.stdout.strip() != "0"


def _first(lab: Lab, databases: Sequence[Machine]) -> Machine:
    return next(machine for machine in databases if machine.node == lab.having("database")[0])


def _empty(lab: Lab, databases: Sequence[Machine]) -> None:
    """Delete what visitors wrote while a reset goes on. Raises CheckFailed where the roles are not the first ones."""
    roles = _other_roles(lab, databases)
    if roles:
        raise CheckFailed(f"the clean snapshot is not of a lab as it is made: {roles}", hint=ANEW)
    if _written(lab, databases):
        sql(_first(lab, databases), EMPTY, "deletes what visitors wrote")


def _take(lab: Lab, roles: Roles, systems: dict[str, str], databases: Sequence[Machine]) -> None:
    """Take the snapshot. Notes only become more: where none is there after it, none is in it."""
    progress.say("host", "takes the snapshot clean, for lab.reset")
    with progress.display(["host"], "takes the snapshot clean"):
        snapshots.take(lab, snapshots.CLEAN)
    used = _in_use(lab, databases)
    if used:
        progress.say("host", f"{used} meanwhile: the next lab.reset takes the snapshot anew")
    _write(STALE if used else configuration(lab, roles, systems, choices.load()), systems)


def _write(made_with: str, systems: Mapping[str, str]) -> None:
    atomic_write(RECORD, yaml.safe_dump({"configuration": made_with, "systems": dict(systems)}))


def _record() -> dict[str, Any]:
    """What is known of the clean snapshot; empty where nothing is, or the file was damaged."""
    try:
        record = yaml.safe_load(RECORD.read_text(encoding="utf-8"))
    except (FileNotFoundError, yaml.YAMLError):
        return {}
    complete = isinstance(record, dict) and "configuration" in record and isinstance(record.get("systems"), dict)
    return record if complete else {}
