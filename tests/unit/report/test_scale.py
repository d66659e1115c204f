"""The plot and the table of a rising load."""

from itertools import pairwise
from xml.etree import ElementTree

import pytest

from lab.report import scale, scale_page, scale_plot
from lab.report.scale_plot import Axis
from tests.support.scale_stories import measured

RESULTS = [measured(1), measured(2), measured(3, [(4, 4, 0.1), (9, 0, None)])]
SVG = "{http://www.w3.org/2000/svg}"


def test_the_plot_has_a_line_for_each_number_of_servers() -> None:
    """In both panels, and in words for those who do not see it."""
    picture = scale_plot.svg(RESULTS)
    svg = ElementTree.fromstring(picture)
    assert len(list(svg.iter(f"{SVG}polyline"))) == 3 * 3  # two panels and the legend
    described = svg.findtext(f"{SVG}desc") or ""
    assert all(it in described for it in ("1 server", "2 servers: 8 sent", "18 sent per second, p95 1600 ms"))


def test_a_step_without_an_answer_has_no_p95() -> None:
    """Neither a point nor a number."""
    svg = ElementTree.fromstring(scale_plot.svg(RESULTS))
    assert len(list(svg.iter(f"{SVG}circle"))) == 6 + 5
    assert scale.rows(RESULTS)[-1][-1] == "-"


def test_all_points_are_inside_the_picture() -> None:
    """Whatever was measured."""
    svg = ElementTree.fromstring(scale_plot.svg([measured(1, [(0.5, 0.5, 0.002), (90, 80, 12)])]))
    for circle in svg.iter(f"{SVG}circle"):
        assert 90 <= float(circle.attrib["cx"]) <= 860 and 110 <= float(circle.attrib["cy"]) <= 680


@pytest.mark.parametrize("top", [0.3, 1, 7, 10, 28.35, 1863, 14000])
def test_an_axis_has_a_few_round_ticks(top: float) -> None:
    """From 0 on, in the order of their pixels."""
    ticks = Axis(top, 90, 860).ticks
    values = [float(label) for _, label in ticks]
    assert 3 <= len(ticks) <= 8 and values[0] == 0 and values[-1] <= top
    assert all(later - one == pytest.approx(values[1]) for one, later in pairwise(values))


def test_the_summary_compares_with_one_server() -> None:
    """If that was measured; the reason for long times is told."""
    one, two, _ = scale.summary(RESULTS)
    assert "6.0 answers" in one and "times" not in one and "2.00 times one server" in two
    assert "times" not in scale.summary([measured(2)])[0]
    assert "busy" in scale.summary([measured(1) | {"note": "busy"}])[0]


def test_the_page_needs_nothing_from_elsewhere() -> None:
    """It links only to the reports of the runs beside it."""
    page = scale_page.page(RESULTS)
    assert "http" not in page.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert 'href="../20261201T100000Z-scale-2/report.html"' in page


def test_terminal_and_docs_have_every_step() -> None:
    """The table of docs/ replaces the old one and nothing else."""
    said = scale_page.terminal(RESULTS)
    assert said.count("1 server ") >= 2 and "42 of 126" in said
    old = "before\n<!-- table: scale -->\n\nold\n\n<!-- end -->\nafter\n"
    new = scale_page.replaced(old, RESULTS)
    assert new.startswith("before\n") and new.endswith("<!-- end -->\nafter\n") and "old" not in new
    assert "2 processors, emulated" in new and scale_page.replaced(new, RESULTS) == new


def test_without_results_there_are_axes_and_no_table() -> None:
    """docs/ before anything was measured."""
    assert "not measured yet" in scale_plot.svg([]) and "not run yet" in scale_page.table([])
