"""report.html: a run drawn from its judgement alone, as one file that opens without internet."""

import json
from datetime import UTC, datetime
from pathlib import Path

from plotly.offline import get_plotlyjs

from lab.analysis import metrics
from lab.analysis.history import History
from lab.analysis.judgement import Judgement
from lab.analysis.metrics import Percentiles
from lab.render import render
from lab.report.caveats import limits
from lab.report.check_rows import SIGNS, rows
from lab.report.fault_phrases import duration
from lab.report.glossary import glossary
from lab.report.narrative import sentence
from lab.report.plots import plots
from lab.state.atomic_file import atomic_write

HERE = Path(__file__).parent


def write(folder: Path, judgement: Judgement) -> Path:
    """Write summary.json and report.html of the run in `folder`, and return the latter."""
    atomic_write(folder / "summary.json", json.dumps(judgement.summary, indent=2) + "\n")
    report = folder / "report.html"
    atomic_write(report, page(judgement, folder.name))
    return report


def page(judgement: Judgement, name: str) -> str:
    """The page of a run; `name` is that of its folder."""
    history, summary = judgement.history, judgement.summary
    return render(
        "report.html.j2",
        folder=HERE,
        title=history.run.get("title") or name,
        question=history.run.get("question", ""),
        verdict=judgement.verdict,
        sign=SIGNS[judgement.verdict],
        sentence=sentence(history, summary),
        checks=rows(judgement.checks, history),
        latencies=_latencies(history),
        config=history.run.get("config", []),
        glossary=glossary(history),
        limits=limits(history, summary),
        footer=_footer(history),
        name=name,
        figure=plots(history),
        plotly=get_plotlyjs(),
    )


def _latencies(history: History) -> list[tuple[str, str, list[str]]]:
    found = []
    for method, words in (("GET", "reads"), ("POST", "writes")):
        latency = metrics.latency(history, method)
        for how, percentiles in (("as users felt them", latency.corrected), ("naive", latency.naive)):
            if percentiles:
                found.append((f"{words}, {how}", str(percentiles.count), _times(percentiles)))
    return found


def _times(percentiles: Percentiles) -> list[str]:
    values = (percentiles.p50, percentiles.p95, percentiles.p99)
    return [duration(value) if value >= 1 else f"{value * 1000:.0f} ms" for value in values]


def _footer(history: History) -> list[str]:
    run = history.run
    if not run:
        return ["The timeline does not say what was run."]
    load = run.get("load", {})
    how = [
        f"{word} {run[word]}" for word in ("name", "stage", "durability", "algorithm", "mode", "seed") if run.get(word)
    ]
    how += [f"{load['rate']:g} requests a second, {load['write_share']:.0%} writes".replace("%", " %")] if load else []
    versions = [f"{name} {version}" for name, version in run.get("versions", {}).items()]
    began = datetime.fromtimestamp(history.entries[0].at, UTC)
    return [", ".join(how), ", ".join(versions), f"began {began:%Y-%m-%d %H:%M:%S} UTC"]
