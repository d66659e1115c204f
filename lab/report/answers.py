"""The requests that did not succeed: which answer they got, and what that answer means."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lab.analysis.history import History, Request

PHP = "PHP"
FRONT = "HAProxy or Nginx"  # an answer that does not name its server never reached PHP
TIMED_OUT = "no answer until the run ended"
WRITTEN_OR_NOT = "The note may be there or not."
NOTHING_WRITTEN = "Nothing was written, the visitor may try again."
WRITES = {
    (503, PHP): f"The site could not write: no database took writes, or no replica could confirm. {NOTHING_WRITTEN}",
    (503, FRONT): f"No server had room, or none answered. {NOTHING_WRITTEN}",
    (504, PHP): f"MySQL was told to commit, and did not confirm it in time. {WRITTEN_OR_NOT}",
    (504, FRONT): f"A server took the write and did not answer in time, or the connection broke. {WRITTEN_OR_NOT}",
}
READS = {
    503: "No server could answer.",
    504: "A server took the read and did not answer in time.",
    502: "A server broke the connection before its answer was whole.",
    500: "The site failed.",
    404: "The note was acknowledged, but it was not there when every database had to have it.",
}


@dataclass(frozen=True)
class Answer:
    """How many reads or writes got one answer; `outcome` is failed or unknown, `short` the answer alone."""

    method: str
    outcome: str
    short: str
    source: str
    count: int
    meaning: str


def answers(history: History) -> list[Answer]:
    """Each answer that was no success, the most frequent first; reads, then writes."""
    bad = [it for it in history.requests if not it.is_answered]
    return [answer for method in ("GET", "POST") for answer in _of(method, [it for it in bad if it.method == method])]


def named(found: Iterable[Answer], method: str, outcome: str) -> str:
    """The answers with that outcome as a list in a sentence: 'HTTP 503 and not connected'."""
    words = list(dict.fromkeys(it.short for it in found if (it.method, it.outcome) == (method, outcome)))
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _of(method: str, requests: Sequence[Request]) -> list[Answer]:
    groups: dict[tuple[str, str, str], list[Request]] = {}
    for it in requests:
        groups.setdefault((it.outcome, _short(it), _source(it)), []).append(it)
    found = [_answer(method, outcome, short, source, them) for (outcome, short, source), them in groups.items()]
    return sorted(found, key=lambda it: -it.count)


def _answer(method: str, outcome: str, short: str, source: str, requests: Sequence[Request]) -> Answer:
    status, servers = requests[0].status, ", ".join(sorted({it.served_by for it in requests} - {""}))
    told = f"{source} on {servers}" if source == PHP else source
    if method == "GET":
        meaning = READS.get(status, "" if status else "The client got no answer.")
    else:
        meaning = WRITES.get((status, source), NOTHING_WRITTEN if outcome == "failed" else WRITTEN_OR_NOT)
    return Answer(method, outcome, short, told, len(requests), meaning)


def _short(request: Request) -> str:
    if request.status:
        return f"HTTP {request.status}"
    return TIMED_OUT if request.ended is None else request.reason or "no answer"


def _source(request: Request) -> str:
    if not request.status:
        return ""
    return PHP if request.served_by else FRONT
