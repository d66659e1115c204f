"""Names of the shipped experiments in which the primary is told to stop, or a relay log is torn, or a crowd comes."""

import subprocess
from pathlib import Path

from lab.plan import experiment_file
from lab.plan.experiment_file import Plan
from lab.topology import ROOT, Lab

ENDS = ("mysql-stop", "shutdown", "power-button")
NOT_LISTENING = ("replication-stopped", "replica-frozen", "replica-cut-off", "replica-off")
# The primary is told to stop while commits wait: the promotion is refused first, and both servers start again.
ORDERLY = {f"web1-{end}-{replica}" for end in ENDS for replica in NOT_LISTENING}
TORN = {"torn-by-a-stopped-receiver", "torn-by-a-cut", "torn-by-a-power-off"}
LONG = {"acknowledged-means-confirmed", "control-without-confirmation"}  # enough must have been acknowledged before
CROWDS = {"crowd", "crowd-of-writes", "crowd-web2-power-off", "control-without-admission"}  # several rates of the load


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
