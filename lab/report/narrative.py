"""What happened, in a few sentences made of the facts alone."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lab.analysis.checks.catalogue import REPORTED, find
from lab.analysis.history import History
from lab.report.answers import answers, named
from lab.report.fault_phrases import duration, phrase
from lab.report.reaction_words import noticed, returned
from lab.report.rounds import rounds
from lab.report.run_commands import RunCommand, of_the_story, run_commands, way_back

OUTAGE_S = 1.0  # without an answer for longer than that, a user calls it an outage
BOUND = {"at most": "allowed", "at least": "expected"}


def sentences(history: History, summary: Mapping[str, Any]) -> list[str]:
    """The story of a run, a sentence each; `summary` is that of summary.json."""
    if history.broken:
        return [_broken(history, summary)]
    done = run_commands(history)
    told = [
        *_ended_early(history),
        *_load(history),
        _faults(history),
        *_commands(of_the_story(done), history),
        *noticed(history),
        *_reads(history, summary),
        *_writes(history, summary),
        *returned(history),
        *_way_back(way_back(done)),
    ]
    return [_sentence(it, history) for it in told]


def _sentence(text: str, history: History) -> str:
    """A capital first, unless that is the name of a node; a stop in the end."""
    return (text if text.startswith(tuple(history.run.get("nodes", {}))) else text[0].upper() + text[1:]) + "."


def _broken(history: History, summary: Mapping[str, Any]) -> str:
    first = history.broken[0]
    when = max(first.at - history.start, 0.0)
    judged = "only what it can't have caused" if summary["verdict"] == "fail" else "nothing"
    return f"The test setup broke at {when:.1f} s ({first.data['why']}), so {judged} is judged."


def _ended_early(history: History) -> Iterator[str]:
    ends = history.seen("lab", "end")
    if ends and ends[-1].data["complete"]:
        return
    why = ends[-1].data.get("why") if ends else ""
    yield f"the run ended early, after {max(history.end - history.start, 0):.1f} s" + (f" ({why})" if why else "")


def _faults(history: History) -> str:
    first: dict[str, float] = {}
    phrases = [(phrase(entry.data["fault"]), entry.at - history.start) for entry in history.seen("lab", "inject")]
    for what, at in reversed(phrases):
        first[what] = at
    times = Counter(what for what, _ in phrases)
    ordered = sorted(first.items(), key=lambda it: it[1])
    planned = next((it.of for it in rounds(history)), 0)
    told = (f"{what}{_at(at, times[what], planned)}" for what, at in ordered)
    return ", ".join(told) or "nothing was broken"


def _at(at: float, times: int, planned: int) -> str:
    """When; in a run of `planned` rounds also in how many of them."""
    if planned:
        return f" in {f'{times} of ' if times < planned else ''}{planned} rounds, first at {at:.1f} s"
    return f" at {at:.1f} s" if times == 1 else f" {times} times, first at {at:.1f} s"


def _load(history: History) -> Iterator[str]:
    rates = [f"{it.rate:g}" for it in history.offers]
    if len(rates) > 1:
        yield f"the load changed: {', '.join(rates[:-1])}, then {rates[-1]} requests a second"


def _commands(done: Sequence[RunCommand], history: History) -> Iterator[str]:
    for it in done:
        ended = f" and failed (exit code {it.exit_code})" if it.exit_code else ""
        took = f" and took {duration(it.took_s)}" if it.took_s and not ended else ""
        when = "began" if it.took_s else "ended"
        yield f"the command {it.words} {when} at {it.began - history.start:.1f} s{took}{ended}"


def _reads(history: History, summary: Mapping[str, Any]) -> Iterator[str]:
    reads, writes = summary["requests"]["GET"], summary["requests"]["POST"]
    made = sum(reads.values())
    if made:
        why = f" ({named(answers(history), 'GET', 'failed')})" if reads["failed"] else ""
        yield f"of {made} reads {reads['failed']} failed{why}{_outage(history, reads['failed'])}"
    elif not any(writes.values()):
        yield "no request was made"


def _outage(history: History, failed: int) -> str:
    seconds = find(history, "longest-outage").value
    return f" and for {duration(seconds)} none succeeded" if failed and seconds and seconds > OUTAGE_S else ""


def _writes(history: History, summary: Mapping[str, Any]) -> Iterator[str]:
    writes = summary["requests"]["POST"]
    made, found = sum(writes.values()), answers(history)
    if not made:
        return
    parts = [f"{writes['ok']} of {made} writes were acknowledged{_lost(summary['writes'])}"]
    if writes["failed"]:
        were = "were" if writes["failed"] > 1 else "was"
        parts.append(
            f"{writes['failed']} {were} refused ({named(found, 'POST', 'failed')}: nothing was written, try again)"
        )
    if writes["unknown"]:
        are = "are" if writes["unknown"] > 1 else "is"
        parts.append(f"{writes['unknown']} {are} unknown ({named(found, 'POST', 'unknown')}: may be written or not)")
    yield "; ".join(parts)
    if writes["failed"] or writes["unknown"]:
        yield from _write_outage(history, summary)


def _lost(writes: Mapping[str, Any]) -> str:
    if not writes["acknowledged"]:
        return ""
    return ", how many of them were lost is not known" if writes["lost"] is None else f", {writes['lost']} lost"


def _write_outage(history: History, summary: Mapping[str, Any]) -> Iterator[str]:
    seconds = find(history, "write-outage").value
    if seconds and seconds > OUTAGE_S:
        bound = next((it["bound"] for it in summary["checks"] if it["name"] == "write-outage"), REPORTED)
        yield f"for {duration(seconds)} no write was acknowledged ({_limit(bound)})"


def _limit(bound: str) -> str:
    """What the experiment says of a time: a reader of a PASS must see what it does not cover."""
    if bound == REPORTED:
        return "only reported: this experiment sets no limit for it"
    words, _, number = bound.rpartition(" ")
    return f"{BOUND.get(words, 'allowed')}: {bound} s" if number else bound


def _way_back(done: Sequence[RunCommand]) -> Iterator[str]:
    times = Counter(f"{it.words}{' (failed)' if it.exit_code else ''}" for it in done)
    if times:
        told = ", ".join(f"{words}{f' ({count} times)' if count > 1 else ''}" for words, count in times.items())
        yield f"to bring the lab back, the run then did: {told}"
