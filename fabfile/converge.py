"""All roles on all nodes: ask each node once, change what differs, then the databases together."""

from collections.abc import Callable, Mapping, Sequence

from fabfile import accounts, balancer, base, database, nameserver, replication, web
from fabfile.target import Target
from lab import choices, credentials, ensure, lifecycle, progress
from lab.ensure import Desired, Found
from lab.machine import Machine, together
from lab.release import Release
from lab.topology import Lab

Role = Callable[[Target], Desired]
ROLES: Mapping[str, Role] = {
    "base": base.desired,
    "nameserver": nameserver.desired,
    "balancer": balancer.desired,
    "web": web.desired,
    "database": database.desired,
}


def everything(lab: Lab, *, only: Sequence[str] = tuple(ROLES), dry_run: bool = False) -> list[str]:
    """Converge every node with the roles named in `only`; returns what changed, in words.

    A second run on an unchanged lab changes nothing and costs two round trips a node.
    """
    doors = [door for door in lifecycle.machines(lab) if set(_roles(door, only))]
    systems = lifecycle.systems(doors)
    releases = {name: Release.of(text) for name, text in systems.items()}
    passwords = credentials.passwords(it.name for it in accounts.load(lab))
    chosen = choices.load()

    def one(door: Machine) -> tuple[list[str], Found]:
        target = Target(lab, door.node, releases[door.node.name], chosen, passwords)
        return _node(door, _desired(target, _roles(door, only)), dry_run)

    results = dict(zip((door.node.name for door in doors), together(one, doors), strict=True))
    changed = [change for changes, _ in results.values() for change in changes]
    if "database" in only and not dry_run:
        answers = {
            door.node.name: results[door.node.name][1].answers for door in doors if "database" in door.node.roles
        }
        changed += replication.converge(lab, _databases(doors), releases, passwords, answers)
    return changed


def _roles(door: Machine, only: Sequence[str]) -> list[str]:
    return [role for role in ROLES if role in only and role in ("base", *door.node.roles)]


def _databases(doors: Sequence[Machine]) -> list[Machine]:
    return [door for door in doors if "database" in door.node.roles]


def _desired(target: Target, roles: Sequence[str]) -> Desired:
    whole = Desired()
    for role in roles:
        whole += ROLES[role](target)
    if "database" in roles:
        whole += Desired(questions=replication.questions(target.lab))
    return whole


def _node(door: Machine, desired: Desired, dry_run: bool) -> tuple[list[str], Found]:
    found = ensure.ask(door, desired)
    difference = ensure.compare(desired, found)
    name = door.node.name
    if not difference:
        progress.say(name, "is as it should be")
        return [], found
    progress.say(name, f"{'would change' if dry_run else 'changes'}: {difference}")
    if not dry_run:
        ensure.apply(door, difference)
        found = ensure.ask(door, Desired(questions=desired.questions)) if desired.questions else found
        progress.say(name, "configured")
    return [f"{name}: {difference}"], found
