"""The results of experiment.spof as table, picture, page and JSON."""

from xml.etree import ElementTree

import pytest

from lab import topology
from lab.plan.spof import components
from lab.report import spof, spof_page
from tests.support.spof_stories import result

LAB = topology.load(topology.ROOT / "lab.yml")
EVERY = ("reads", "writes", "names")
RESULTS = {
    "lb1": result("lb1", EVERY, noticed_s=None, predicted=["reads", "writes"]),
    "lb1-dnsmasq": result("lb1-dnsmasq", ["names"], noticed_s=None),
    "web1": result("web1", ["writes"], predicted=["writes"]),
    "web1-nginx": result("web1-nginx", predicted=[]),
    "web2": result("web2", ["writes"], recovered_s=None),
}


def rows() -> dict[str, spof.Row]:
    """The rows by component."""
    return {it.name: it for it in spof.rows(LAB, RESULTS)}


def test_a_row_says_what_failed_and_when() -> None:
    """Counts, and honest words where nothing noticed or no recovery was seen."""
    assert rows()["lb1"].words == ("lb1", *["✗ fail 6/6, 9/9, 60/60"] * 3, "by nothing", "61 s")
    assert rows()["web1-nginx"].words[1:] == (*["✓ ok 0/6, 0/9, 0/60"] * 3, "2.5 s", "61 s")
    assert rows()["web2"].recovered == "not seen"


def test_too_few_requests_are_told() -> None:
    """Neither a failure nor a success."""
    few = {"web1": result("web1", writes={"first": [0, 0], "middle": [0, 0], "end": [1, 2]})}
    (row,) = spof.rows(LAB, few)
    assert row.cells[1] == "? too few 0/0, 0/0, 1/2" and "measure it again" in row.cure


@pytest.mark.parametrize(("middle", "end"), [([0, 9], [29, 60]), ([4, 9], [0, 60])])
def test_some_failures_are_told_and_are_no_single_point(middle: list[int], end: list[int]) -> None:
    """A busy machine refuses some requests; a reader must see that, and nothing says that nothing fails."""
    results = {"web1": result("web1", reads={"first": [3, 9], "middle": middle, "end": end})}
    (row,) = spof.rows(LAB, results)
    assert row.cells[0].startswith("! some 3/9, ") and row.failing == ()
    mark = spof.states(LAB, results)["web1"]
    said = f"{row.cure} {mark.words} {mark.sentence} {spof_page.terminal(LAB, results)}"
    assert "! some fail" in said and not any(it in said for it in ("✓ web1", "survived", "nothing fails", "needs none"))


def test_a_cure_says_whether_the_lab_has_it() -> None:
    """A command where there is one; otherwise that it is not in this lab yet."""
    cures = {name: row.cure for name, row in rows().items()}
    assert cures["lb1"].count(spof.NOT_YET) == 2
    assert "name server" in cures["lb1-dnsmasq"] and spof.NOT_YET in cures["lb1-dnsmasq"]
    assert "invoke db.promote web2" in cures["web1"] and spof.NOT_YET in cures["web1"]
    assert "invoke db.durability available" in cures["web2"]
    assert cures["web1-nginx"].startswith("needs none")
    (unexpected,) = spof.rows(LAB, {"web1-nginx": result("web1-nginx", ["writes"])})
    assert "report" in unexpected.cure


def test_the_cure_follows_the_primary() -> None:
    """After a failover web1 is the replica."""
    turned = {name: {**RESULTS[name], "primary": "web2"} for name in ("web1", "web2")}
    first, second = (row.cure for row in spof.rows(LAB, turned))
    assert "db.durability" in first and "db.promote web1" in second


def test_predictions_stand_beside_the_measurement_with_a_score() -> None:
    """lb1: the names were forgotten; who predicted nothing is neither right nor wrong."""
    judged = {name: row.judged for name, row in rows().items()}
    assert judged["lb1"] == "wrong: reads, writes"
    assert judged["web1"] == "right: writes" and judged["web1-nginx"] == "right: none"
    assert judged["web2"] == "-"
    assert spof.score(list(rows().values())).startswith("8 of 9 ")
    assert spof.score([rows()["web2"]]) == ""


def test_the_picture_marks_every_component_in_words() -> None:
    """Also those that are not measured; each has a sentence for a screen reader."""
    picture = spof_page.picture(LAB, RESULTS)
    svg = ElementTree.fromstring(picture)
    texts = ["".join(it.itertext()) for it in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert {"off: ✗ reads, writes, names", "✗ names", "off: ✗ writes", "✓ survived", "? not measured"} <= set(texts)
    for it in components(LAB):
        assert f"{it.name}: not measured." in picture or f"{it.name} dead: " in picture


def test_scripts_get_counts_times_predictions_and_verdicts() -> None:
    """What docs/interface.md promises."""
    data = spof.as_data(LAB, RESULTS)
    assert data["predictions"] == {"right": 8, "of": 9}
    lb1, dns, *_ = data["components"]
    assert (lb1["name"], lb1["failing"], lb1["noticed_s"]) == ("lb1", list(EVERY), None)
    assert lb1["right"] == {"reads": True, "writes": True, "names": False} and dns["right"] is None


def test_the_page_needs_nothing_from_elsewhere() -> None:
    """It links only to the reports of the runs beside it."""
    page = spof_page.page(LAB, RESULTS)
    assert "http" not in page.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert 'href="../20261201T100000Z-spof-web1/report.html"' in page
    assert page.count("<td") == len(RESULTS) * 8


def test_terminal_and_docs_have_every_row() -> None:
    """The table of docs/ replaces the old one and nothing else."""
    said = spof_page.terminal(LAB, RESULTS)
    assert all(name in said for name in RESULTS) and "8 of 9" in said
    old = "before\n<!-- table: spof -->\n\nold\n\n<!-- end -->\nafter\n"
    new = spof_page.replaced(old, LAB, RESULTS)
    assert new.startswith("before\n") and new.endswith("<!-- end -->\nafter\n") and "old" not in new
    assert "2 processors, emulated" in new
    assert "| web2 |" in new and spof_page.replaced(new, LAB, RESULTS) == new
