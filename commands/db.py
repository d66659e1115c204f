"""invoke db.*: which server is primary, the durability of commits, backups of the site's data, recovery."""

import time
from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context

from commands.command import command, say
from lab import topology
from lab.durability import MEANS, check_durability
from lab.mysql import advice, last_seen
from lab.mysql.replication_tree import tree
from lab.nodes import lifecycle, vm_power
from lab.nodes.facts import ask, endings, stopped
from lab.nodes.ssh import together
from lab.operations import backup, recover
from lab.replication import promote_replica
from lab.replication.rejoin import rejoin as rejoin_server
from lab.replication.set_durability import set_durability
from lab.state import choices
from lab.wait import working

PROMOTE = {
    "salvage": "first start the old primary read-only if it does not answer, and fetch what only it has",
    "accept_data_loss": "promote even if acknowledged writes may be lost, and say which",
    "stay_durable": "after an emergency let writes wait until a replica is back",
}


@command(changes=False)
def status_(c: Context) -> None:
    """Draw the replication tree: role, lag, transactions missing, durability and semi-sync now."""
    lab = topology.load()
    nodes = lab.having("database")
    with working("lab", "still asks the databases"):
        machines = lifecycle.running(lab, "database")
        asked_at = time.time()
        facts = dict(zip((it.node.name for it in machines), together(ask, machines), strict=True))
        asked = {node.name: facts[node.name].database if node.name in facts else None for node in nodes}
        last_seen.remember(asked_at, asked.values())
        degraded = last_seen.degraded()
        states = vm_power.states(lab)
        advised = advice.advise(nodes, asked, degraded, endings(lab, asked), states, stopped(facts))
    say("\n".join([tree(nodes, asked, degraded), *_chosen(), *advised]))


@command(changes=True, positional=["node"], help=PROMOTE)
def promote(
    c: Context, node: str, accept_data_loss: bool = False, stay_durable: bool = False, salvage: bool = False
) -> None:
    """Make a server the primary: swap roles with the old primary, or replace it if it does not answer."""
    options = {"accept_data_loss": accept_data_loss, "stay_durable": stay_durable, "salvage": salvage}
    say("\n".join(promote_replica.promote(topology.load(), node, **options)))


@command(changes=True, positional=["node"], help={"discard": "discard what only this server has, without a copy"})
def rejoin(c: Context, node: str, discard: bool = False) -> None:
    """Make an old primary the replica of the new one; transactions that only it has go to backups/ first."""
    say("\n".join(rejoin_server(topology.load(), node, discard=discard)))


@command(changes=True, positional=["value"])
def durability(c: Context, value: str) -> None:
    """Choose how safe a commit is: async, available or durable."""
    lab = topology.load()
    wanted = check_durability(value)
    choices.save(durability=wanted)
    changed = set_durability(lifecycle.running(lab, "database"), wanted)
    say("\n".join([*(changed or [f"durability is already {wanted}"]), *MEANS[wanted]]))


@command(changes=True)
def backup_(c: Context) -> None:
    """Write all data of the site to a file in backups/."""
    say(str(backup.backup(topology.load())))


@command(changes=True, positional=["file"])
def restore_(c: Context, file: str) -> None:
    """Replace the site's data with a backup."""
    backup.restore(topology.load(), Path(file))
    say(f"the site now has the data of {file}")


@command(changes=False, positional=["file"])
def changes(c: Context, file: str) -> None:
    """List the transactions since a backup, to find a mistake: time, GTID, and the rows that it changed."""
    say("\n".join(recover.changes(topology.load(), Path(file))))
    say(f"next: invoke db.recover {file} GTID   (that of the mistake)")


@command(
    changes=True,
    positional=["file", "gtid"],
    interrupted="see how it stands: invoke lab.status; then run the command again",
    help={"stop_before": "give up what was written after the mistake too"},
)
def recover_(c: Context, file: str, gtid: str, stop_before: bool = False) -> None:
    """Recover from a mistake: a backup, and all transactions since but the one of this GTID."""
    say("\n".join(recover.recover(topology.load(), Path(file), gtid, stops=stop_before)))


def _chosen() -> list[str]:
    seen = last_seen.recall()
    chosen = f"chosen: durability {choices.load().durability}"
    return [chosen] + ([f"last seen: {seen.describe(time.time())}"] if seen else [])


commands = Collection("db", promote, rejoin, durability, changes)
commands.add_task(status_, name="status")
commands.add_task(backup_, name="backup")
commands.add_task(restore_, name="restore")
commands.add_task(recover_, name="recover")
