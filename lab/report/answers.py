"""The requests that did not succeed: which answer they got, and what that answer means."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lab.analysis.history import History, Request

PHP = "PHP"
FRONT = "HAProxy or Nginx"  # an answer that does not name its server never reached PHP
BALANCER = "HAProxy"
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
# The header X-Refused (provision/templates/haproxy.cfg.j2): why no server worked on it. Older runs lack it.
REFUSALS = {
    "HTTP 503 queue full": "HAProxy's queue was full.",
    "HTTP 503 queue timeout": "It waited in HAProxy's queue, and no server had room in time.",
    "HTTP 503 no server": "HAProxy had no server for it: all were DOWN or drained.",
    "HTTP 503 no connection": "HAProxy could not connect to a server, and every try was used.",
    "HTTP 503 too late": "It came to PHP too late: the server had more requests than it can work on.",
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
    """The answers with that outcome in a sentence: 'HTTP 503', or of several '3 x HTTP 503 and 1 x not connected'."""
    counts: Counter[str] = Counter()
    for it in found:
        counts[it.short] += it.count if (it.method, it.outcome) == (method, outcome) else 0
    words = [f"{count} x {short}" if len(+counts) > 1 else short for short, count in counts.items() if count]
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
    if short in REFUSALS:
        meaning = f"{REFUSALS[short]} {NOTHING_WRITTEN if method == 'POST' else ''}".rstrip()
    elif method == "GET":
        meaning = READS.get(status, "" if status else "The client got no answer.")
    else:
        meaning = WRITES.get((status, source), NOTHING_WRITTEN if outcome == "failed" else WRITTEN_OR_NOT)
    return Answer(method, outcome, short, told, len(requests), meaning)


def _short(request: Request) -> str:
    if request.status:
        return request.reason if request.reason in REFUSALS else f"HTTP {request.status}"
    return TIMED_OUT if request.ended is None else request.reason or "no answer"


def _source(request: Request) -> str:
    if not request.status:
        return ""
    if request.served_by:
        return PHP
    return BALANCER if request.reason in REFUSALS else FRONT
