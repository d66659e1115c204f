"""The shipped experiments, and what kind of story each tells."""

import subprocess
from pathlib import Path

from lab import topology
from lab.plan import experiment_file
from lab.plan.experiment_file import Plan
from lab.topology import ROOT, Lab

DATABASES = {node.name for node in topology.load().having("database")}
STOPS = {"service-stop", "shutdown", "power-button"}  # the server is told to stop, it does not just fail
# The replica is lost, and durable means that no commit returns: a run in which writes went on has not been durable.
NOBODY_CONFIRMS = {"power-off", "crash", "freeze", "partition", "replication-stop"}


def shipped(lab: Lab, root: Path = ROOT) -> list[Plan]:
    """The experiments that git knows, by name; those of a user are the user's. Without git: all there are."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "experiments/*.yml"], capture_output=True, text=True, check=False
    )
    folder = root / "experiments"
    names = [Path(line).stem for line in listed.stdout.splitlines() if (root / line).exists()]
    return (
        [experiment_file.find(name, lab, folder) for name in sorted(names)]
        if names
        else experiment_file.named(lab, folder)
    )


def promotes(it: Plan) -> bool:
    """Whether the roles change in it."""
    return any(step.command.startswith("db.promote ") for step in it.steps)


def accepts_loss(it: Plan) -> bool:
    """Whether its promotion opens though that gives up writes."""
    return any("--accept-data-loss" in step.command for step in it.steps)


def stops_primary(it: Plan) -> bool:
    """Whether the primary is told to stop, and another one is promoted: both servers start again."""
    return promotes(it) and any(fault.node == it.primary and fault.kind in STOPS for fault in it.faults)


def orderly(it: Plan) -> bool:
    """Whether the doubt about such a primary refuses the promotion first."""
    return stops_primary(it) and not accepts_loss(it)


def all_databases_off(it: Plan) -> bool:
    """Whether each database is switched off, one after the other."""
    off = {fault.node for fault in it.faults if fault.kind == "power-off"}
    return off >= DATABASES


def loses_replica(it: Plan) -> bool:
    """Whether the first fault leaves nobody who confirms a write."""
    return bool(it.faults) and it.faults[0].node in DATABASES - {it.primary} and it.faults[0].kind in NOBODY_CONFIRMS


def may_lose(it: Plan) -> tuple[str, float | bool]:
    """How many acknowledged writes it may lose."""
    if accepts_loss(it) and it.durability != "durable":
        return ("at_least", 1) if loses_replica(it) else ("reported", True)
    return "at_most", int(all_databases_off(it))  # what the replica had received and not applied
