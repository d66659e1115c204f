"""Another topology in lab.yml, as a user puts it there."""

from lab import topology
from lab.topology import ROOT, Lab

FILE, TOPOLOGIES = ROOT / "lab.yml", ROOT / "docs" / "topologies"
NODES = "\nnodes:\n"


def use(name: str) -> Lab:
    """Write the nodes of docs/topologies/NAME.yml into lab.yml; its other settings stay."""
    nodes = (TOPOLOGIES / f"{name}.yml").read_text(encoding="utf-8").partition(NODES)[2]
    rest = FILE.read_text(encoding="utf-8").partition(NODES)[0]
    FILE.write_text(f"{rest}{NODES}{nodes}", encoding="utf-8")
    return topology.load()
