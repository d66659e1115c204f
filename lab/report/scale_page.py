"""The rising load: on the terminal, as a page of its own, and in docs/scale.md."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from lab.render import render
from lab.report import scale
from lab.report.grid import grid
from lab.report.scale import COLUMNS, HOW_TO_READ, Results
from lab.report.scale_plot import svg

HERE = Path(__file__).parent
WIDTH = 110
BEGIN, END = "<!-- table: scale -->\n", "<!-- end -->"


def terminal(results: Results) -> str:
    """What each number of servers answered at most, and each step, as plain text."""
    table = _columns([COLUMNS, *scale.rows(results)])
    return "\n".join([*scale.summary(results), "", *table, "", *textwrap.wrap(HOW_TO_READ, WIDTH)])


def page(results: Results) -> str:
    """One file that opens without internet: the plot and the table."""
    picture = svg(results)
    return render(
        "scale.html.j2",
        folder=HERE,
        summary=scale.summary(results),
        columns=COLUMNS,
        rows=scale.rows(results),
        runs=[(scale.words(it), it["run"]) for it in results],
        how_to_read=HOW_TO_READ,
        made=scale.made(results),
        picture=picture[picture.index("<svg") :],
    )


def table(results: Results) -> str:
    """The summary and the table of docs/scale.md, and how the results were made."""
    if not results:
        return grid(COLUMNS, [])
    listed = "\n".join(f"- {it}." for it in scale.summary(results))
    return f"{listed}\n\n{grid(COLUMNS, scale.rows(results))}\n{scale.made(results)}\n"


def replaced(text: str, results: Results) -> str:
    """The text of docs/scale.md with the table of these results."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{table(results)}\n{END}{rest.partition(END)[2]}"


def _columns(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return ["  ".join(f"{it:<{width}}" for it, width in zip(line, widths, strict=True)).rstrip() for line in lines]
