"""The picture of the README: drawn from lab.yml, and never older than it."""

import os
import re
from dataclasses import replace
from ipaddress import IPv4Address
from xml.etree import ElementTree

from commands import experiment_spof
from lab import topology
from lab.picture import PICTURE, State, draw
from lab.plan.spof import components
from lab.report import spof_page
from lab.topology import ROOT, Lab

LAB = topology.load(ROOT / "lab.yml")
ADDRESS = r"\d+\.\d+\.\d+\.\d+\b(?!/)"


def moved(lab: Lab) -> Lab:
    """The same lab with every node's address ten higher."""
    return replace(lab, nodes=tuple(replace(node, ip=IPv4Address(int(node.ip) + 10)) for node in lab.nodes))


def shown(picture: str) -> set[str]:
    """The texts that a reader of the picture sees."""
    svg = ElementTree.fromstring(picture)
    return {"".join(text.itertext()) for text in svg.iter("{http://www.w3.org/2000/svg}text")}


def test_the_picture_is_the_one_of_lab_yml() -> None:
    """A change of lab.yml or of the template shows here; UPDATE_GOLDEN=1 draws the picture anew."""
    if os.environ.get("UPDATE_GOLDEN") == "1":
        PICTURE.write_text(draw(LAB), encoding="utf-8")
    assert draw(LAB) == PICTURE.read_text(encoding="utf-8"), "if this is meant, run with UPDATE_GOLDEN=1"


def test_the_picture_of_single_points_is_the_one_of_their_results() -> None:
    """docs/spof.svg shows docs/spof.jsonl; UPDATE_GOLDEN=1 draws it anew."""
    drawn = spof_page.picture(LAB, experiment_spof.published())
    if os.environ.get("UPDATE_GOLDEN") == "1":
        experiment_spof.DOCS_PICTURE.write_text(drawn, encoding="utf-8")
    assert drawn == experiment_spof.DOCS_PICTURE.read_text(encoding="utf-8"), (
        "if this is meant, run with UPDATE_GOLDEN=1"
    )


def test_a_state_is_told_in_words_and_to_a_screen_reader() -> None:
    """Each component of the lab has its own mark, and no colour has to be seen; the notes on weaknesses give way."""
    states = {it.name: State("fails", f"mark of {it.name}", f"{it.name} says.") for it in components(LAB)}
    picture = draw(LAB, states)
    svg = ElementTree.fromstring(picture)
    told = svg.find("{http://www.w3.org/2000/svg}desc")
    assert {it.words for it in states.values()} <= {words.removeprefix("off: ") for words in shown(picture)}
    assert told is not None and all(it.sentence in str(told.text) for it in states.values())
    assert "no firewall" not in picture


def test_the_arrow_of_replication_leads_from_the_primary() -> None:
    """Also after a failover: from web2, on the right, to web1."""
    assert "M380 588H508" in draw(LAB) and "M520 588H392" in draw(LAB, primary="web2")


def test_every_machine_is_shown_with_its_address() -> None:
    """The picture is well-formed and names what boots."""
    assert {f"{node.name} {node.ip}" for node in LAB.nodes} <= shown(draw(LAB))


def test_another_lab_yml_gives_other_addresses() -> None:
    """No address of the picture stands in the template."""
    assert set(re.findall(ADDRESS, draw(moved(LAB)))) == {str(node.ip) for node in moved(LAB).nodes}


def test_the_name_of_the_site_leads_to_the_balancer() -> None:
    """What the nameserver answers is what the picture says."""
    texts = shown(draw(replace(moved(LAB), site="www.example.org")))
    assert {"1 DNS: www.example.org", "is 192.168.56.20"} <= texts


def test_the_picture_needs_nothing_from_elsewhere() -> None:
    """It opens without internet: no address to load from but the names of the SVG language itself."""
    assert re.findall(r"https?://[^\"]*|@import|url\(|href", draw(LAB)) == ["http://www.w3.org/2000/svg"]


def test_a_third_server_and_a_database_of_its_own_are_drawn() -> None:
    """Whatever lab.yml allows can be drawn."""
    lb1, web1, web2 = LAB.nodes
    web3 = replace(web2, name="web3", ip=IPv4Address("192.168.56.13"), roles=("web",))
    texts = shown(draw(replace(LAB, nodes=(lb1, web1, replace(web2, roles=("database",)), web3))))
    assert {"web3 192.168.56.13", "MySQL replica, read-only"} <= texts
