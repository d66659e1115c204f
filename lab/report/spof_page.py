"""The table of single points of failure: on the terminal, as a page of its own, and in docs/spof.md."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from lab.analysis.spof import SINGLE
from lab.picture import draw
from lab.render import render
from lab.report import spof
from lab.report.grid import grid
from lab.report.spof import COLUMNS, HOW_TO_READ, MARKS, Results, Row
from lab.topology import Lab

HERE = Path(__file__).parent
WIDTH = 110
BEGIN, END = "<!-- table: spof -->\n", "<!-- end -->"


def terminal(lab: Lab, results: Results) -> str:
    """The table, the cures, the predictions and their score as plain text."""
    shown = spof.rows(lab, results)
    head = f"{_count(shown)} of {len(shown)} measured components are single points of failure"
    table = _columns([(*COLUMNS, "prediction"), *((*row.words, row.judged) for row in shown)])
    cures = [f"{MARKS[row.verdict]} {row.name}: {row.cure}" for row in shown]
    score = spof.score(shown) or "no prediction"
    return "\n".join([head, "", *table, "", *textwrap.wrap(HOW_TO_READ, WIDTH), "", "Cures:", *cures, "", score])


def picture(lab: Lab, results: Results) -> str:
    """The lab as SVG, each component marked with its result."""
    return draw(lab, spof.states(lab, results), spof.primary(results))


def page(lab: Lab, results: Results) -> str:
    """One file that opens without internet: the picture, the table, the cures, the predictions."""
    shown = spof.rows(lab, results)
    svg = picture(lab, results)
    return render(
        "spof.html.j2",
        folder=HERE,
        head=f"{_count(shown)} of {len(shown)} measured components are single points of failure",
        columns=COLUMNS,
        rows=shown,
        marks=MARKS,
        runs={name: it["run"] for name, it in results.items()},
        how_to_read=HOW_TO_READ,
        score=spof.score(shown) or "No prediction was made.",
        picture=svg[svg.index("<svg") :],
    )


def table(lab: Lab, results: Results) -> str:
    """The table of docs/spof.md, and how the results were made."""
    shown = spof.rows(lab, results)
    cells = [[*row.words, row.cure] for row in shown]
    return grid([*COLUMNS, "cure"], cells) + (f"\n{_made(results)}\n" if results else "")


def replaced(text: str, lab: Lab, results: Results) -> str:
    """The text of docs/spof.md with the table of these results."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{table(lab, results)}\n{END}{rest.partition(END)[2]}"


def _made(results: Results) -> str:
    every = list(results.values())
    how = {f"primary {it['primary']}, durability {it['durability']}, {it['algorithm']}, {it['mode']}" for it in every}
    commits = {it["commit"] for it in every}
    hosts = {f"{it['host'].get('cpus', '?')} processors, {it['host'].get('accelerator', '?')}" for it in every}
    dates = sorted(it["date"] for it in every)
    minutes = sum(it["took_s"] for it in every) / 60
    when = f"Measured {dates[0]} to {dates[-1]} (UTC) in {minutes:.0f} minutes"
    where = f"Host: {'; '.join(sorted(hosts))}. Commit: {', '.join(sorted(commits))}."
    return f"{when}: {'; '.join(sorted(how))}. {where}"


def _count(shown: Sequence[Row]) -> int:
    return sum(row.verdict == SINGLE for row in shown)


def _columns(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return ["  ".join(f"{it:<{width}}" for it, width in zip(line, widths, strict=True)).rstrip() for line in lines]
