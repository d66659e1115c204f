"""All roles on all nodes: ask each node once, change what differs, then the databases together."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lab import progress
from lab.desired import ensure
from lab.desired.state import NEWCOMERS, Desired, Difference, Found, Unit
from lab.desired.target import Roles, Target
from lab.errors import LabError, LabNotUp
from lab.faults import protections
from lab.mysql import server_state
from lab.nodes import clock_sync, lifecycle
from lab.nodes.clock_sync import step_clock
from lab.nodes.ssh import Machine, together
from lab.release import Release
from lab.replication import accounts, assign_roles, rolling_restart
from lab.replication.assign_roles import Pair
from lab.state import choices, credentials
from lab.state.choices import Choices
from lab.topology import Lab, Node


@dataclass(frozen=True)
class Outcome:
    """What a converge changed, a line a node, each node's /etc/os-release, and the nodes that do not run.

    `machines`: the connections to those that run, for what comes next.
    """

    changed: list[str]
    systems: dict[str, str]
    off: list[str]
    machines: Sequence[Machine] = ()


@dataclass(frozen=True)
class Converged:
    """A node after its converge: what was changed, what it answered, and the units that wait for their turn.

    `held`: what it changes when other nodes, the `newcomers`, are ready.
    """

    changed: list[str]
    found: Found
    later: tuple[Unit, ...] = ()
    held: Difference | None = None
    newcomers: Sequence[str] = ()


def everything(
    lab: Lab,
    roles: Roles,
    *,
    only: Sequence[str] = (),
    node: str = "",
    dry_run: bool = False,
    without: Sequence[str] = (),
) -> Outcome:
    """Converge every running node, or one, with `roles` or those named in `only`; `dry_run` shows what differs.

    A second run on an unchanged lab changes nothing and costs two round trips a node. The databases get their roles
    only when all are there, and MySQL restarts on one after the other. A balancer waits for new servers, if converged.
    `without` are protections that an experiment takes away: every converge that does not name them puts them back.
    """
    running = lifecycle.running(lab)
    wanted = {name: role for name, role in roles.items() if name in (only or roles)}
    machines = _chosen_machines(running, wanted, node)
    with progress.display([it.node.name for it in machines], "is asked what is there"):
        systems = lifecycle.systems(machines)
        releases = {name: Release.of(text) for name, text in systems.items()}
        passwords = credentials.passwords(it.name for it in accounts.load(lab))
        chosen = _chosen(without)

        def one(machine: Machine) -> Converged:
            target = Target(lab, machine.node, releases[machine.node.name], chosen, passwords)
            return _node(machine, desired(target, wanted), dry_run)

        asked_at = time.time()
        results = dict(zip(systems, together(one, machines), strict=True))
    changed = [change for it in results.values() for change in it.changed]
    if "database" in wanted and not dry_run:
        durability, unique_key = chosen.durability, "unique-key" not in without
        pair = Pair(lab, _servers(machines), releases, passwords, durability, _answers(results), asked_at, unique_key)
        changed += _databases(pair, running, {name: it.later for name, it in results.items() if it.later})
    changed += _held(machines, results, [name for name in results if "web" in wanted])
    off = [it.name for it in lab.nodes if it not in [machine.node for machine in running]]
    if not (without or node or dry_run or off or len(wanted) < len(roles)):
        _all_protected()
    return Outcome(changed, systems, off, running)


def _chosen(without: Sequence[str]) -> Choices:
    """The choices, and what is taken away: written down before it is, so that status tells whatever happens."""
    checked = protections.checked(without)
    if checked:
        choices.save(without=checked)
    return choices.load().model_copy(update={"without": tuple(checked)})


def _all_protected() -> None:
    if choices.load().without:
        choices.save(without=())


def _databases(pair: Pair, running: Sequence[Machine], waiting: Mapping[str, Sequence[Unit]]) -> list[str]:
    """Make the databases primary and replica; before that, those restart that have to, in turn."""
    machines = _servers(running) if waiting else pair.machines
    complete = len(machines) == len(pair.lab.having("database"))
    if not waiting:
        return assign_roles.converge(pair) if complete else []
    missing = [machine for machine in machines if machine.node.name not in pair.releases]
    systems = {name: Release.of(text) for name, text in lifecycle.systems(missing).items()}
    pair = replace(pair, machines=machines, releases={**pair.releases, **systems})
    changed = _before_restart(_asked(pair)) if complete else []
    rolling_restart.in_turn(pair.lab, running, waiting)
    return changed + (assign_roles.converge(_asked(pair)) if complete else [])


def _servers(machines: Sequence[Machine]) -> list[Machine]:
    return [machine for machine in machines if "database" in machine.node.roles]


def _before_restart(pair: Pair) -> list[str]:
    """A replica that is new or was stopped can stand in for its primary only when it replicates.

    Where that fails, the new configuration may be what helps.
    """
    try:
        return assign_roles.converge(pair)
    except LabError as error:
        progress.say("lab", f"before MySQL restarts: {error.what}")
        return []


def _asked(pair: Pair) -> Pair:
    questions = {"database": server_state.QUESTION, **assign_roles.questions(pair.lab)}
    asked_at = time.time()
    found = together(lambda machine: ensure.ask(machine, Desired(questions=questions)), pair.machines)
    answers = {machine.node.name: it.answers for machine, it in zip(pair.machines, found, strict=True)}
    return replace(pair, answers=answers, asked_at=asked_at)


def _answers(results: Mapping[str, Converged]) -> dict[str, Mapping[str, str]]:
    return {name: it.found.answers for name, it in results.items() if "database" in it.found.answers}


def _chosen_machines(running: Sequence[Machine], wanted: Roles, node: str) -> list[Machine]:
    machines = [machine for machine in running if _of(machine.node, wanted) and node in ("", machine.node.name)]
    if not machines:
        who = node or "no machine with these roles"
        raise LabNotUp(f"nothing was converged: {who} does not run", hint="invoke lab.up")
    return machines


def _of(node: Node, roles: Roles) -> list[str]:
    return [role for role in roles if role in ("base", *node.roles)]


def desired(target: Target, roles: Roles) -> Desired:
    """All that a node should have: what each of its roles wants, of those that are given."""
    own = _of(target.node, roles)
    combined = Desired()
    for role in own:
        combined += roles[role](target)
    if "database" in own:
        combined += Desired(questions=assign_roles.questions(target.lab))
    return combined


def _node(machine: Machine, desired: Desired, dry_run: bool) -> Converged:
    began, asked_at = time.monotonic(), time.time()
    found = ensure.ask(machine, desired)
    clock = _clock(machine, clock_sync.error(found.answers, asked_at), dry_run)
    difference = ensure.compare(desired, found)
    name = machine.node.name
    if not difference:
        progress.done(name, "is as it should be")
        return Converged(clock, found)
    if dry_run:
        diffs = ensure.show(machine, difference)
        progress.done(name, f"would change: {difference.summary()}")
        return Converged([*clock, f"{name}: {difference}\n{diffs}".rstrip()], found)
    if newcomers := found.answers.get(NEWCOMERS, "").split():
        progress.done(name, f"changes when {', '.join(newcomers)} can serve: {difference.summary()}")
        return Converged(clock, found, held=difference, newcomers=newcomers)
    _change(machine, difference)
    found = ensure.ask(machine, Desired(questions=desired.questions)) if "database" in desired.questions else found
    changed = f"{difference.summary()} changed"
    waits = ", ".join(unit.name for unit in difference.later)
    took = f"{time.monotonic() - began:.0f} s{waits and f'; {waits} waits for its turn to restart'}"
    progress.done(name, f"configured: {changed}, {took}")
    return Converged([*clock, f"{name}: {changed}"], found, difference.later)


def _held(machines: Sequence[Machine], results: Mapping[str, Converged], ready: Sequence[str]) -> list[str]:
    """Change the nodes that waited for others, if those were converged."""
    changed: list[str] = []
    for machine in machines:
        name, it = machine.node.name, results[machine.node.name]
        missing = [other for other in it.newcomers if other not in ready]
        if missing:
            progress.say(name, f"stays as it is: {', '.join(missing)} is new and not configured; next: invoke lab.up")
        elif it.held:
            _change(machine, it.held)
            changed.append(f"{name}: {it.held.summary()} changed")
    return changed


def _change(machine: Machine, difference: Difference) -> None:
    name = machine.node.name
    progress.say(name, f"changes {difference.summary()}")
    for change in difference.changes():
        progress.change(name, change)
    ensure.apply(machine, difference)


def _clock(machine: Machine, error: float, dry_run: bool) -> list[str]:
    if not error:
        return []
    if not dry_run:
        step_clock(machine)
    return [f"{machine.node.name}: clock, it was {abs(error):.0f} s {'ahead' if error > 0 else 'behind'}"]
