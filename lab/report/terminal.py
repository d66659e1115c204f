"""The report for a terminal: the same sentences and verdicts, as plain text."""

from collections.abc import Sequence

from lab.analysis.judgement import Judgement
from lab.report.caveats import generator
from lab.report.check_rows import SIGNS, Row, rows
from lab.report.confidence import confidence
from lab.report.judged import judged
from lab.report.narrative import sentences

HEAD = ("", "measured", "allowed", "check")


def terminal(judgement: Judgement) -> str:
    """Verdict, story, checks, why it did not pass, how sure it makes, how busy the load was."""
    history, summary = judgement.history, judgement.summary
    title = history.run.get("title") or summary["name"]
    head = f"{SIGNS[judgement.verdict]} {judgement.verdict.upper()}  {title}"
    shown = rows(judgement.checks, history)
    why = [f"{it.sign} {it.name}: {it.detail}" for it in shown if it.decides and it.detail]
    sure = [] if history.broken else ["", *confidence(summary), generator(history, summary)]
    story = [judged(shown), "", *sentences(history, summary), ""]
    return "\n".join([head, *story, *_table(shown), *([""] if why else []), *why, *sure])


def _table(shown: Sequence[Row]) -> list[str]:
    lines = [HEAD, *((f"{it.sign} {it.verdict}", it.value, it.bound, f"{it.words} ({it.name})") for it in shown)]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    return [
        f"{verdict:<{widths[0]}}  {value:>{widths[1]}}  {bound:<{widths[2]}}  {check}"
        for verdict, value, bound, check in lines
    ]
