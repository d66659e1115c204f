"""The diagram of the README, drawn from lab.yml, so that it always shows the lab that boots."""

from collections.abc import Mapping
from dataclasses import dataclass

from lab.render import render
from lab.topology import ROOT, Lab

DOCS = ROOT / "docs"
PICTURE = DOCS / "lab.svg"


@dataclass(frozen=True)
class State:
    """How a machine or service is marked: a class of the template's style, a few words in it, and a sentence."""

    style: str
    words: str
    sentence: str


def draw(lab: Lab, states: Mapping[str, State] | None = None, primary: str = "") -> str:
    """The lab as SVG; `states` by component (web1, web1-nginx) replace the notes on its weaknesses.

    `primary`: the database that is shown as primary; by default the first of lab.yml, as in a new lab.
    """
    databases = lab.having("database")
    first = next((node for node in databases if node.name == primary), databases[0])
    return render(
        "lab.svg.j2",
        folder=DOCS,
        lab=lab,
        balancer=lab.having("balancer")[0],
        nameserver=lab.having("nameserver")[0],
        servers=[node for node in lab.nodes if {"web", "database"} & set(node.roles)],
        primary=first,
        replicas=[node for node in databases if node != first],
        states=states or {},
    )
