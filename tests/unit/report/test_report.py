"""The page of a run: complete, escaped, small, drawn from the folder alone, whatever the timeline lacks."""

import json
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lab.analysis import run_folder, timeline
from lab.analysis.judgement import Judgement
from lab.analysis.timeline import Entry
from lab.report.page import write
from lab.report.terminal import terminal
from lab.report.versions import versions
from tests.support.report_page import Page, bars
from tests.support.timelines import T0, blind, changed, lab, of, quiet, servers, switched_off, without

GOLDEN = Path(__file__).parent / "golden" / "report.txt"
EXPECT = [
    {"check": "failed-gets", "at_most": 0},
    {"check": "gtid-equal", "equals": True},
    {"check": "arrival-rate", "at_least": 0.98},
    {"check": "detected", "at_most": 2},
    {"check": "balancer-retries", "reported": True},
    {"check": "stale-reads", "at_least": 1000},
]
WORDS: dict[str, Any] = {
    "title": "The primary's server loses its power",
    "question": "Who notices?",
    "stage": "distributed",
    "durability": "durable",
    "seed": 7,
    "load": {"rate": 20, "write_share": 0.2, "processes": 1},
    "config": [{"file": "haproxy.cfg", "lines": ["defaults", "    retries 4"], "why": "a read is sent again"}],
    "versions": {
        "lb1": "HAProxy version 2.8.16-0ubuntu0.24.04.1, 6.8.0-31-generic",
        "web1": "nginx version: nginx/1.24.0, /usr/sbin/mysqld  Ver 8.0.41 for, php-fpm8.3, 6.8.0-31-generic",
    },
    "expect": EXPECT,
}
EVIL = "<script>alert('&')</script>"
LIMIT_MB, LIMIT_S = 6, 5


def written(folder: Path, entries: Sequence[Entry]) -> str:
    """The page of a timeline."""
    timeline.append(folder / "timeline.jsonl", entries)
    return write(folder, Judgement.of(entries)).read_text(encoding="utf-8")


def drawn(folder: Path, entries: Sequence[Entry]) -> Page:
    """The page of a timeline, taken apart."""
    return Page(written(folder, entries))


def test_a_report_is_its_golden_file(tmp_path: Path) -> None:
    """In the terminal and on the page; a change of words shows here, and UPDATE_GOLDEN=1 accepts it."""
    folder = tmp_path / "20261125T220000Z-web1-power-off"
    folder.mkdir()
    run = switched_off(**WORDS)
    made = "\n".join([terminal(Judgement.of(run, EXPECT)), "", *drawn(folder, run).lines, ""])
    if os.environ.get("UPDATE_GOLDEN") == "1":
        GOLDEN.write_text(made, encoding="utf-8")
    assert made == GOLDEN.read_text(encoding="utf-8"), "if this is meant, run with UPDATE_GOLDEN=1"


def test_the_plots_share_one_time_axis(tmp_path: Path) -> None:
    """Whoever zooms one plot zooms all, and what was broken is shaded across all of them."""
    run = [*switched_off(**WORDS), lab(10, "command", words="db.promote web2", exit_code=0, output="")]
    page = drawn(tmp_path, run)
    layout = page.figure["layout"]
    assert page.titles == [
        "What was done",
        "Reads per second",
        "Writes per second",
        "How long reads took",
        "How long writes took",
        "Who answered, per second",
        "What HAProxy said of its servers",
        "What the databases were",
    ]
    axes = {name: axis for name, axis in layout.items() if re.fullmatch(r"xaxis\d*", name)}
    assert len(axes) == len(page.titles)
    assert {axis.get("matches", "x") for axis in axes.values()} == {"x"}
    (band,) = [shape for shape in layout["shapes"] if shape["yref"] == "paper"]
    assert (band["x0"], band["x1"], band["y0"], band["y1"]) == (5, 16, 0, 1)
    assert len([shape for shape in layout["shapes"] if shape["type"] == "line"]) == len(page.titles)


def test_lanes_show_what_was_true_when(tmp_path: Path) -> None:
    """States are bars with their words in them, each in the lane of its node."""
    page = drawn(tmp_path, switched_off(blind(29, "database", "web2"), **WORDS))
    assert bars(page, "DOWN") == [("■ web1", 8, 18)]
    assert bars(page, "active") == [("web1-power-off", 5.5, 12)]
    assert bars(page, "primary, writable") == [("■ web1", 0, 34)]
    assert ("■ web2", 29, 29.5) in bars(page, "not seen")


def test_words_of_the_lanes_that_need_it_are_explained(tmp_path: Path) -> None:
    """Those that stand there: a reader asks why a database that runs takes no writes."""
    booted = changed(switched_off(**WORDS), of("database", 20, 30), role="unassigned", writable=False)
    text = drawn(tmp_path, booted).text
    assert "writable : it takes writes." in text
    assert "unassigned : it runs, follows nobody and takes no writes, until the lab" in text
    assert "paused :" not in text and "UP 1/2 :" not in text


def test_a_server_has_one_colour(tmp_path: Path) -> None:
    """web1 is the same in the plot of who answered and before each of its lanes."""
    figure = drawn(tmp_path, switched_off(**WORDS)).figure
    (who,) = [trace for trace in figure["data"] if trace.get("name") == "web1"]
    lanes = [
        name for axis in figure["layout"].values() if isinstance(axis, dict) for name in axis.get("categoryarray", [])
    ]
    own = [name for name in lanes if name.endswith(" web1")]
    assert len(own) == 2
    assert all(who["marker"]["color"] in name for name in own)


def test_outcomes_are_counted_per_second(tmp_path: Path) -> None:
    """What failed is above what went well, in the second in which it was due."""
    failing = changed(quiet(20, **WORDS), of("client", 7, 8), outcome="failed", status=503)
    data = drawn(tmp_path, failing).figure["data"]
    reads = [it for it in data if it["type"] == "bar" and it["yaxis"] == "y2" and it["name"] == "failed"]
    assert [(trace["x"], trace["y"]) for trace in reads] == [([7.5], [16])]


def test_everything_is_escaped(tmp_path: Path) -> None:
    """Whatever a timeline says is shown, and never run; Plotly's own markup is no way in."""
    words: dict[str, Any] = {**WORDS, "title": EVIL, "question": EVIL, "versions": {EVIL: EVIL}}
    words["config"] = [{"file": EVIL, "lines": [EVIL], "why": EVIL}]
    words["nodes"] = {"web1": ["web", "database"], EVIL: ["web"]}
    evil = [lab(3, "command", words=EVIL, exit_code=1, output=""), blind(3, "node", EVIL), servers(4, EVIL, EVIL)]
    page = drawn(tmp_path, [*quiet(10, **words), *evil, lab(9, "broken", why=EVIL)])
    assert page.tags.count("script") == 3
    assert page.text.count(EVIL) > 8
    names = [text for trace in page.figure["data"] for key in ("y", "text") for text in trace.get(key, ())]
    assert not [name for name in names if "<script" in str(name)]


def test_the_page_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    """It opens without internet: nothing is loaded, not even by its style."""
    html = written(tmp_path, switched_off(**WORDS))
    assert Page(html).loads == []
    (style,) = re.findall("<style>(.*?)</style>", html, re.DOTALL)
    assert re.findall(r"url\(|@import|https?:", style) == []


def test_the_page_is_light_and_dark(tmp_path: Path) -> None:
    """Every colour that the plots name is one of the page, in both of its schemes."""
    html = written(tmp_path, switched_off(**WORDS))
    (style,) = re.findall("<style>(.*?)</style>", html, re.DOTALL)
    light, dark = style.split("prefers-color-scheme: dark")
    used = set(re.findall(r"var\((--[\w-]+)\)", json.dumps(Page(html).figure))) - {"--font"}
    assert used <= set(re.findall(r"(--[\w-]+):", light))
    assert used <= set(re.findall(r"(--[\w-]+):", dark))


def test_a_page_is_small_and_soon_there(tmp_path: Path) -> None:
    """Three minutes at twenty requests a second: what the size and the time are promised for."""
    timeline.append(tmp_path / "timeline.jsonl", quiet(180, **WORDS))
    start = time.process_time()
    page = write(tmp_path, Judgement.of(run_folder.read(tmp_path)))
    assert time.process_time() - start < LIMIT_S
    assert page.stat().st_size < LIMIT_MB * 1e6


def test_a_long_run_is_small_too(tmp_path: Path) -> None:
    """Of many good requests only some are dots, and the page says so."""
    html = written(tmp_path, quiet(600, **WORDS))
    assert len(html) < LIMIT_MB * 1e6
    assert "only one in 3 is drawn as a dot" in Page(html).text


@pytest.mark.parametrize("stop", [-10, -4, 1, 6, 10, 14, 33])
def test_an_interrupted_run_is_drawn(tmp_path: Path, stop: float) -> None:
    """Wherever a timeline stops, there is a page, and it does not pass."""
    page = drawn(tmp_path, [entry for entry in switched_off(**WORDS) if entry.at < T0 + stop])
    assert "The run ended early" in page.text
    assert "✓ pass The run" not in page.text


@pytest.mark.parametrize("observer", ["client", "balancer", "database", "lab"])
def test_a_blind_eye_leaves_the_rest(tmp_path: Path, observer: str) -> None:
    """What one observer missed does not keep the others from being drawn."""
    assert drawn(tmp_path, without(switched_off(**WORDS), of(observer))).titles[0] == "What was done"


def test_a_cut_off_last_line_is_no_obstacle(tmp_path: Path) -> None:
    """A writer that was killed leaves half a line."""
    timeline.append(tmp_path / "timeline.jsonl", switched_off(**WORDS))
    with (tmp_path / "timeline.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"at": 17')
    page = write(tmp_path, Judgement.of(run_folder.read(tmp_path)))
    assert "web1 lost its power" in Page(page.read_text(encoding="utf-8")).text


def test_scripts_get_their_summary(tmp_path: Path) -> None:
    """summary.json says the same as the page."""
    written(tmp_path, switched_off(**WORDS))
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary["verdict"] == "fail"
    assert [check["name"] for check in summary["checks"]] == [expected["check"] for expected in EXPECT]


def test_versions_are_shown_whole_and_once() -> None:
    """As people write them, with their nodes where not all have them; what nobody knows is left as it is."""
    reported = {
        "lb1": "HAProxy version 3.0.11-1+deb13u1, 6.12.48+deb13-amd64",
        "web1": "PHP 8.4.11, 6.12.48+deb13-amd64, new",
    }
    assert versions(reported) == [
        "HAProxy 3.0.11-1+deb13u1 (lb1)",
        "Linux 6.12.48+deb13-amd64",
        "PHP 8.4.11 (web1)",
        "new (web1)",
    ]


@pytest.mark.parametrize("observer_key", ["observer", "eye"], ids=["format 3", "format 2"])
def test_runs_of_earlier_versions_are_drawn(tmp_path: Path, observer_key: str) -> None:
    """Without what later ones record: when commands began, how many rounds there were to be, sections of files."""
    old = {
        **WORDS,
        "format": 2 if observer_key == "eye" else 3,
        "config": [{"file": "a", "lines": ["retries 4"], "why": "b"}],
    }
    promoted = lab(10, "command", words="db.promote web2", exit_code=0, output="")
    lines = [it.line().replace('"observer":', f'"{observer_key}":') for it in switched_off(promoted, **old)]
    (tmp_path / "timeline.jsonl").write_text("".join(lines), encoding="utf-8")
    page = Page(write(tmp_path, Judgement.of(run_folder.read(tmp_path))).read_text(encoding="utf-8"))
    assert "db.promote web2 ended at 10.0 s" in page.text and page.titles[0] == "What was done"
