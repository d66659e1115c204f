"""report.html: a run drawn from its judgement alone, as one file that opens without internet."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from lab.analysis import metrics, run_folder
from lab.analysis.history import History
from lab.analysis.judgement import Judgement
from lab.analysis.metrics import Percentiles
from lab.render import render
from lab.report import rounds
from lab.report.answers import answers
from lab.report.caveats import limits
from lab.report.check_rows import SIGNS, rows
from lab.report.events import events
from lab.report.fault_phrases import duration
from lab.report.glossary import glossary
from lab.report.judged import judged
from lab.report.narrative import sentences
from lab.report.plots import plots
from lab.report.request_plots import sent_late
from lab.report.terms import terms
from lab.report.versions import versions
from lab.state.atomic_file import atomic_write

HERE = Path(__file__).parent
SETTINGS = {"durability": "durability", "algorithm": "balancing", "mode": "mode", "primary": "primary", "seed": "seed"}


def write(folder: Path, judgement: Judgement) -> Path:
    """Write summary.json and report.html of the run in `folder`, and return the latter; then runs/latest may be it."""
    atomic_write(folder / run_folder.SUMMARY, json.dumps(judgement.summary, indent=2) + "\n")
    report = folder / run_folder.REPORT
    atomic_write(report, page(judgement, folder.name))
    run_folder.link_latest(folder)
    return report


def page(judgement: Judgement, name: str, only: Sequence[str] = ()) -> str:
    """The page of a run; `name` is that of its folder, `only` the titles of the plots that it has, '' for all."""
    history, summary = judgement.history, judgement.summary
    shown = rows(judgement.checks, history)
    return render(
        "report.html.j2",
        folder=HERE,
        title=history.run.get("title") or name,
        question=history.run.get("question", ""),
        verdict=judgement.verdict,
        sign=SIGNS[judgement.verdict],
        judged=judged(shown),
        sentences=sentences(history, summary),
        checks=shown,
        terms=terms(shown),
        latencies=_latencies(history),
        answers=answers(history),
        rounds=rounds.results(history),
        events=[(f"{it.at - history.start:.1f} s", it.source, it.words) for it in events(history)],
        config=history.run.get("config", []),
        glossary=glossary(history),
        sent_late=sent_late(history),
        limits=limits(history, summary),
        settings=_settings(history),
        name=name,
        figure=plots(history, only),
        plotly=get_plotlyjs(),
    )


def _latencies(history: History) -> list[tuple[str, str, list[str]]]:
    found = []
    for method, words in (("GET", "reads"), ("POST", "writes")):
        latency = metrics.latency(history, method)
        for since, percentiles in (("due", latency.corrected), ("sent", latency.naive)):
            if percentiles:
                found.append((f"{words}, since they were {since}", str(percentiles.count), _times(percentiles)))
    return found


def _times(percentiles: Percentiles) -> list[str]:
    values = (percentiles.p50, percentiles.p95, percentiles.p99)
    return [duration(value) if value >= 1 else f"{value * 1000:.0f} ms" for value in values]


def _load(load: Mapping[str, Any]) -> str:
    share = f", {load['write_share']:.0%} of them writes".replace("%", " %") if "write_share" in load else ""
    return f"{load['rate']:g} requests a second{share}"


def _settings(history: History) -> list[tuple[str, str]]:
    """What the run was made with, as names and values."""
    run: dict[str, Any] = {**history.run}
    if not run:
        return [("run", "the timeline does not say what was run")]
    load, stage = run.get("load", {}), run.get("stage", "")
    found = [("experiment", str(run.get("name", "")))]
    found += [("setup", f"{stage}: {_servers(history)}")] if stage else []
    found += [(words, str(run[key])) for key, words in SETTINGS.items() if run.get(key)]
    found += [("load", _load(load))] if load else []
    found += [("versions", ", ".join(versions(run.get("versions", {}))))] if run.get("versions") else []
    return [*found, ("began", f"{datetime.fromtimestamp(history.entries[0].at, UTC):%Y-%m-%d %H:%M:%S} UTC")]


def _servers(history: History) -> str:
    """Where the web servers read, by their roles."""
    apart = [name for name in history.having("web") if name not in history.having("database")]
    if not apart:
        return "each server has the website and its own database"
    return f"{', '.join(apart)} read from the databases of other nodes"
