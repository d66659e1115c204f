"""The report of a comparison: one sentence that says what the numbers say, and a page that needs no internet."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from plotly.offline import get_plotlyjs

from lab.analysis.compared import Compared
from lab.report import comparison, comparison_page
from tests.support.comparisons import alike, avoids_web2, made

DIFFERS = (12, 24, avoids_web2, 0.2)
SAME = (12, 24, alike, 0.5)
HALF = (12, 11, avoids_web2, 0.2)


def read(folder: Path, case: tuple[Any, ...]) -> Compared:
    """A comparison that was made up."""
    return Compared.read(made(folder, *case))


def test_the_sentence_of_a_difference_names_size_interval_test_and_p(tmp_path: Path) -> None:
    """The clearest measure first, the others after it."""
    found = read(tmp_path, DIFFERS)
    first, others, *_ = comparison.sentences(found)
    clear = [it for it in found.differences if it.differs]
    assert (
        "With algorithm=leastconn the median of reads is" in first and "lower than with algorithm=roundrobin" in first
    )
    assert "12 rounds each" in first and "Wilcoxon" in first and "Holm's correction for 7 measures" in first
    assert f"p = {min(it.p for it in clear):.3f}" in first
    assert all(it.measure.words in first + others for it in clear) and "points lower" in others
    assert comparison.verdict(found) == "differs"


def test_where_nothing_differs_the_sentence_says_what_could_not_be_seen(tmp_path: Path) -> None:
    """A difference outside the interval would have been."""
    found = read(tmp_path, SAME)
    p95 = next(it for it in found.differences if it.measure.key == "reads-p95")
    assert p95.low is not None and p95.high is not None
    least = max(-p95.low, p95.high)
    assert f"a difference of less than {comparison.number(least, 'ms')} in the p95" in comparison.sentences(found)[0]
    assert comparison.verdict(found) == "no difference seen"


def test_half_a_comparison_decides_nothing(tmp_path: Path) -> None:
    """Whatever its numbers look like: who stops when it differs finds a difference too often."""
    found = read(tmp_path, HALF)
    (sentence,) = comparison.sentences(found)
    assert "5 of 12 pairs" in sentence and comparison.verdict(found) == "not decided yet"
    assert {(row.p, row.verdict) for row in comparison.rows(found)} == {("-", "")}
    assert "differs" not in comparison.terminal(found)


def test_the_terminal_has_a_line_for_each_measure(tmp_path: Path) -> None:
    """Both settings beside each other, each with its spread."""
    found = read(tmp_path, DIFFERS)
    lines = comparison.terminal(found).splitlines()
    for it in comparison.rows(found):
        (line,) = [line for line in lines if line.startswith(it.words)]
        assert all(text in line for text in (*it.a, *it.b, it.b_minus_a, it.interval, it.p, it.verdict))


@pytest.mark.parametrize("case", [DIFFERS, SAME, HALF, (12, 1, alike, 0.5)], ids=["differs", "same", "half", "one"])
def test_the_page_opens_without_internet_and_says_the_same(tmp_path: Path, case: tuple[Any, ...]) -> None:
    """A round whose partner is missing draws nothing."""
    found = read(tmp_path, case)
    path = comparison_page.write(tmp_path, found)
    text = path.read_text(encoding="utf-8").replace(get_plotlyjs(), "")
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)
    shown = text.replace("&#39;", "'")
    assert all(sentence in shown for sentence in comparison.sentences(found))
    assert all(text in shown for it in comparison.rows(found) for text in (*it.a, *it.b, it.b_minus_a, it.interval))
    assert text.count("<circle") - 1 == len(found.pairs) * len(found.differences)


def test_the_plots_have_both_settings_over_each_other(tmp_path: Path) -> None:
    """In each second of a round, recognised without colour too."""
    text = comparison_page.page(read(tmp_path, DIFFERS), "x")
    figure = json.loads(text.partition('id="figure">')[2].partition("</script>")[0])
    traces = figure["data"]
    assert [it["name"][0] for it in traces] == ["a", "b"] * 4
    assert {it["line"]["dash"] for it in traces if it["name"][0] == "a"} == {"solid"}
    assert all(it["x"] == [second + 0.5 for second in range(20)] for it in traces)
    median_a, median_b = (sum(it["y"]) for it in traces[:2])
    assert median_a > 3 * median_b
