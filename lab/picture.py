"""The diagram of the README, drawn from lab.yml, so that it always shows the lab that boots."""

from lab.render import render
from lab.topology import ROOT, Lab

DOCS = ROOT / "docs"
PICTURE = DOCS / "lab.svg"


def draw(lab: Lab) -> str:
    """The lab as SVG; the first database of lab.yml is shown as primary, as in a new lab."""
    primary, *replicas = lab.having("database")
    return render(
        "lab.svg.j2",
        folder=DOCS,
        lab=lab,
        balancer=lab.having("balancer")[0],
        nameserver=lab.having("nameserver")[0],
        servers=[node for node in lab.nodes if {"web", "database"} & set(node.roles)],
        primary=primary,
        replicas=replicas,
    )
