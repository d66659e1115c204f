"""invoke lab.*: make the lab, look at it, put it back, remove it."""

import subprocess
import sys
from collections.abc import Mapping
from json import dumps
from shlex import quote

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit

from commands.command import command, say
from fabfile.roles import ROLES
from host.ownership import uninstall_hints
from host.preflight import verdict
from host.prepare import booted, examine, prepare, remove
from lab import progress, topology
from lab.errors import BadInput, CheckFailed, LabNotUp, Unreachable
from lab.faults import ledger
from lab.injection import inject_and_heal
from lab.mysql import last_seen
from lab.mysql.server_state import Database
from lab.nodes import lifecycle, site, vm_power
from lab.nodes.facts import databases_of
from lab.nodes.ssh import SSH_CONFIG
from lab.operations import clean_snapshot, converge, departure, membership, snapshots, status, trace, welcome
from lab.operations.logs import collect as collect_logs
from lab.operations.restore import must_be_up
from lab.terminal import capabilities
from lab.topology import Lab, Node
from lab.wait import working

# A machine that is frozen keeps its connections: ssh asks it for a sign of life, and gives up after three.
PATIENCE = ("-o", "ConnectTimeout=8", "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3")
SSH_FAILED = 255  # ssh's own exit code; a remote command that ends with the same can't be told apart

UP = {
    "box": "'local', 'plain' (no packages baked) or a box's name",
    "timings": "say how long each stage took",
    "verbose": "list each change, not only their number",
}
VERBOSE = {"verbose": UP["verbose"]}


@command(changes=True, help=UP)
def up(
    c: Context, box: str = "", provider: str = "", node: str = "", timings: bool = False, verbose: bool = False
) -> None:
    """Make, boot and configure the lab, or complete what is missing; safe to run again."""
    progress.list_changes(verbose)
    lab = topology.load()
    with progress.stage("host and box"):
        membership.let_go(lab, ROLES)
        prepare(lab, box=box, provider=provider)
    with progress.stage("boot"):
        clean_snapshot.begin(lab)
        membership.keep(lab)
        lifecycle.boot(lab, lab.node(node) if node else None)
        booted()
        inject_and_heal.heal_all(lab)
    with progress.stage("configure"):
        outcome = converge.everything(lab, ROLES)
    if outcome.off:
        must_be_up(lab, node)
        say(f"{node} is up; not running: {', '.join(outcome.off)}")
        return
    with progress.stage("first page"):
        page = site.first_page(lab)
        must_be_up(lab, machines=outcome.machines)
    with progress.stage("clean snapshot"):
        clean_snapshot.keep(lab, ROLES, outcome.systems, outcome.machines)
    say(welcome.text(lab, page))
    if timings:
        say(progress.timings())


GOES_ON = "next: invoke lab.provision (it goes on: what is as it should be stays)"


@command(
    changes=True, interrupted=GOES_ON, help={"dry_run": "only show what differs", "node": "only this one", **VERBOSE}
)
def provision(c: Context, node: str = "", dry_run: bool = False, verbose: bool = False) -> None:
    """Converge every node: change what is not as it should be, and only that."""
    progress.list_changes(verbose)
    lab = topology.load()
    if not dry_run:
        membership.must_keep_the_data(lab)
    outcome = converge.everything(lab, ROLES, node=lab.node(node).name if node else "", dry_run=dry_run)
    say("\n".join(outcome.changed or ["nothing to change"]))
    if outcome.off and not node:
        raise CheckFailed(f"not running, so not converged: {', '.join(outcome.off)}", hint="invoke lab.up")


@command(changes=False, help={"json": "as data, for scripts"})
def status_(c: Context, json: bool = False) -> None:
    """Show what is true now: machines, services, balancer, databases."""
    with working("lab", "still asks the nodes"):
        now = status.collect(topology.load())
    say(dumps(now, indent=2) if json else status.table(now, colour=capabilities.colour(sys.stdout)))


@command(changes=False, help={"json": "as data, for scripts"})
def trace_(c: Context, json: bool = False) -> None:
    """Follow a request hop by hop: name, balancer, nginx, PHP, database; exit 1 names the first layer that fails."""
    with working("lab", "still follows the request"):
        hops = trace.walk(topology.load())
    say(dumps(trace.data(hops), indent=2) if json else "\n".join(trace.table(hops)))
    if trace.failed(hops):
        raise Exit(code=1)


@command(changes=True)
def down(c: Context, node: str = "") -> None:
    """Shut the machines down gracefully (or one: --node web2); lab.up starts them again."""
    lab = topology.load()
    if not node:
        lifecycle.halt(None)
        say("the lab is shut down; next: invoke lab.up")
        return
    leaves = lab.node(node)
    stay, databases = _before(lab, leaves)
    lifecycle.halt(leaves)
    say("\n".join(departure.meaning(lab, leaves, databases, stay)))


@command(
    changes=True, ends_restore=True, help={"host": "also remove the private hypervisor: namespace, processes, routes"}
)
def destroy(c: Context, host: bool = False) -> None:
    """Remove the machines, their disks and networks, and verify that nothing is left."""
    lab = topology.load()
    remove(lab, host=host)
    clean_snapshot.RECORD.unlink(missing_ok=True)
    ledger.clear()
    last_seen.forget()
    membership.DATABASES.unlink(missing_ok=True)
    snapshots.RESTORING.unlink(missing_ok=True)
    snapshots.NAMES.unlink(missing_ok=True)
    stays = uninstall_hints.listed(topology.ROOT, lab.box.name) if host else []
    say("\n  ".join(["the lab is gone; what stays:", *stays]) if host else "the lab is gone")


@command(changes=False, positional=["node"])
def ssh(c: Context, node: str) -> None:
    """Open a shell on a node."""
    raise Exit(code=_ssh(node))


@command(changes=False, positional=["node", "words"])
def exec_(c: Context, node: str, words: str) -> None:
    """Run a command on a node as root: invoke lab.exec web1 "systemctl status mysql"."""
    raise Exit(code=_ssh(node, f"sudo -n sh -c {quote(words)}"))


@command(changes=True, positional=["name"])
def snapshot(c: Context, name: str) -> None:
    """Keep the state of all machines together under a name; lab.restore NAME comes back to it."""
    snapshots.take(topology.load(), name)
    say(f"kept; back to it: invoke lab.restore {name}")


@command(changes=True, ends_restore=True, positional=["name"], help=VERBOSE)
def restore(c: Context, name: str, verbose: bool = False) -> None:
    """Put all machines back to a snapshot, and wait until everything answers again."""
    progress.list_changes(verbose)
    changed = clean_snapshot.put_back(topology.load(), ROLES, name)
    say("\n".join([f"the lab is as it was at snapshot {name}", *changed]))


@command(changes=True, ends_restore=True, help=VERBOSE)
def reset(c: Context, verbose: bool = False) -> None:
    """Put the lab back to how it was when it was made, and forget all choices."""
    progress.list_changes(verbose)
    changed = clean_snapshot.reset(topology.load(), ROLES)
    say("\n".join(["the lab is as it was when it was made", *changed]))


LOGS = {
    "lines": "so many of each log, the last ones",
    "since_s": "only what was written in the last so many seconds",
    "node": "only of this one",
}


@command(changes=False, help=LOGS)
def logs(c: Context, node: str = "", lines: int = 30, since_s: int = 0) -> None:
    """Show the latest log lines of every service, of all nodes or one: --node web1; of now: --since-s 60."""
    numbers = (("--lines", lines, 1), ("--since-s", since_s, 0))
    wrong = [f"{name} must be at least {least} (it is {it})" for name, it, least in numbers if it < least]
    if wrong:
        raise BadInput.listing("these logs can't be shown", wrong, hint="invoke --help lab.logs")
    say(collect_logs(topology.load(), node=node, lines=lines, since_s=since_s))


@command(changes=False)
def doctor(c: Context) -> None:
    """Check what the lab needs from this machine; a fix a line, then whether it is ready."""
    findings = examine(topology.load())
    say("\n".join([*map(str, findings), "", verdict(findings)]))
    if not all(finding.ok for finding in findings):
        raise Exit(code=1)


def _before(lab: Lab, leaves: Node) -> tuple[list[str], Mapping[str, Database | None]]:
    """The machines that run beside one that leaves, and what all databases answer while it is there."""
    with working("lab", "still asks the databases"):
        databases = databases_of(lifecycle.running(lab, "database")) if "database" in leaves.roles else {}
        states = vm_power.states(lab)
    return [name for name, state in states.items() if state == "running" and name != leaves.name], databases


def _ssh(node: str, *words: str) -> int:
    name = topology.load().node(node).name
    if not SSH_CONFIG.exists():
        raise LabNotUp("no lab is up in this checkout", hint="start it: invoke lab.up")
    clean_snapshot.touched()
    code = subprocess.call(["ssh", "-F", str(SSH_CONFIG), *PATIENCE, name, *words])
    if code == SSH_FAILED:
        hint = f"see what the machine is doing: invoke lab.status, vagrant ssh {name}"
        raise Unreachable(f"{name}: ssh failed, or the command itself ended with {SSH_FAILED}", hint=hint)
    return code


commands = Collection("lab", up, provision, down, destroy, ssh, doctor, snapshot, restore, reset, logs)
commands.add_task(status_, name="status")
commands.add_task(trace_, name="trace")
commands.add_task(exec_, name="exec")
