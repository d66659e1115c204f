"""The report for a terminal: the same sentences and verdicts, as plain text."""

from collections.abc import Sequence

from lab.analysis.history import History
from lab.analysis.judgement import Judgement
from lab.report.caveats import generator, host_use
from lab.report.check_rows import SIGNS, Row, rows
from lab.report.confidence import confidence
from lab.report.judged import judged
from lab.report.narrative import sentences

HEAD = ("", "measured", "allowed", "check")


def terminal(judgement: Judgement) -> str:
    """Verdict, story, checks, why it did not pass, how sure it makes, how busy load and machine were."""
    history, summary = judgement.history, judgement.summary
    title = history.run.get("title") or summary["name"]
    head = f"{SIGNS[judgement.verdict]} {judgement.verdict.upper()}  {title}{_interrupted(history)}"
    shown = rows(judgement.checks, history)
    why = [f"{it.sign} {it.name}: {it.detail}" for it in shown if it.decides and it.detail]
    trust = [*confidence(summary), generator(history, summary), *host_use(history)]
    sure = [] if history.broken else ["", *trust]
    story = [judged(shown), "", *sentences(history, summary), ""]
    return "\n".join([head, *story, *_table(shown), *([""] if why else []), *why, *sure])


def _interrupted(history: History) -> str:
    """Whether somebody ended the run: then its checks judge only what was seen until then."""
    ends = [it.data.get("why") for it in history.seen("lab", "end")]
    return " (interrupted: what was seen until then)" if "interrupted" in ends else ""


def _table(shown: Sequence[Row]) -> list[str]:
    lines = [HEAD, *((f"{it.sign} {it.verdict}", it.value, it.bound, f"{it.words} ({it.name})") for it in shown)]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    return [
        f"{verdict:<{widths[0]}}  {value:>{widths[1]}}  {bound:<{widths[2]}}  {check}"
        for verdict, value, bound, check in lines
    ]
