"""The open loop: every request starts at its intended time, whether or not earlier ones were answered.

In a closed loop, users wait for an answer before they ask again, so it sends least when the site is slowest: an
outage of two seconds affects only as many requests as it has users. Here a dispatcher starts each visit in its own
greenlet, and response times count from the intended time. They include the wait for a place when more requests are
under way than the bound allows, and the delay when this process is too slow.
"""

import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from gevent.pool import Group

from lab.clock import now
from lab.errors import InfrastructureBroken, LabError
from lab.state.atomic_file import atomic_write
from loadtests import content
from loadtests.arrivals import Arrival
from loadtests.record import Request
from loadtests.request import Site, Visit

ASK_EVERY_S = 1.0
PEAK_S = 10.0  # a generator can be too busy in a crowd although its average is low
KNOWN = 100  # how many of the latest notes can be asked for
LATEST = 0.7  # share of the reads of a note that ask for the latest one: a lagging replica lacks it first


class Generator:
    """The load of one process, from `start` to `end`.

    `lost` returns the reason if nothing may be sent any more. In that case, and if the record can't be written, the
    generator ends by itself and calls `give_up`. `report` gets every request and the size of its answer in bytes.
    """

    def __init__(
        self,
        site: Site,
        arrivals: Iterator[Arrival],
        bound: int,
        lost: Callable[[], LabError | None],
        report: Callable[[Request, int], None],
        give_up: Callable[[LabError], None],
    ) -> None:
        self.site, self.arrivals, self.lost, self.report, self.give_up = site, arrivals, lost, report, give_up
        self._places = BoundedSemaphore(bound)
        self._ended = Event()
        self._end_at = math.inf
        self._in_progress = Group()
        self._known: deque[str] = deque(maxlen=KNOWN)
        self._intended = 0
        self._late: list[float] = []
        self._used: list[tuple[float, float]] = []  # each second: the time, and the processor time used until then
        self._greenlet = gevent.Greenlet(self._run)
        self._greenlet.link_exception(self._broken)

    def start(self) -> None:
        """Start sending now, if that is allowed."""
        refusal = self.lost()
        if refusal:
            self._refuse(refusal)
        self._greenlet.start()
        gevent.spawn(self._watch).link_exception(self._broken)

    def end(self) -> None:
        """Start no further request; return when all requests under way have ended and are recorded."""
        self._end_at = min(self._end_at, now())
        self._ended.set()
        self._greenlet.join()

    def _run(self) -> None:
        began, cpu_s = now(), time.process_time()
        for arrival in self.arrivals:
            intended = began + arrival.after_s
            self._ended.wait(max(0.0, intended - now()))
            if intended > self._end_at:
                break
            self._intended += 1
            self._in_progress.spawn(self._visit, arrival, intended).link_exception(self._broken)
        self._in_progress.join()
        self.site.record.close()
        self._save(time.process_time() - cpu_s, now() - began)

    def _visit(self, arrival: Arrival, intended: float) -> None:
        waits = self._places.locked()
        with self._places:
            visit = self._wish(arrival, intended)
            if waits and self._ended.is_set():
                self.report(self.site.miss(visit), 0)
                return
            request, size = self.site.visit(visit)
        self._late.append(request.sent - intended)
        if request.method == "POST" and request.outcome == "ok":
            self._known.append(request.token)
        self.report(request, size)

    def _wish(self, arrival: Arrival, intended: float) -> Visit:
        if arrival.kind == "write":
            return Visit("POST", "/api/notes", "/api/notes", intended, content.new_token())
        if arrival.kind == "page":
            return Visit("GET", "/", "/", intended)
        if arrival.kind == "notes" or not self._known:
            return Visit("GET", "/api/notes", "/api/notes", intended)
        among_all = max(0.0, arrival.choice - LATEST) / (1 - LATEST)
        token = self._known[int(among_all * len(self._known)) if among_all else -1]
        return Visit("GET", f"/api/notes/{token}", "/api/notes/TOKEN", intended, token)

    def _watch(self) -> None:
        while not self._ended.wait(ASK_EVERY_S):
            self._used.append((now(), time.process_time()))
            refusal = self.lost()
            if refusal:
                self._refuse(refusal)

    def _broken(self, greenlet: gevent.Greenlet) -> None:
        self._refuse(InfrastructureBroken("the generator broke", evidence=f"{greenlet.exception!r}"))

    def _refuse(self, error: LabError) -> None:
        if self._end_at > -math.inf:
            self._end_at = -math.inf  # requests that are due but have not started are not sent either
            self._ended.set()
            gevent.spawn(self.give_up, error)

    def _save(self, cpu_s: float, wall_s: float) -> None:
        late = sorted(self._late) or [0.0]
        figures = {
            "cpu_s": cpu_s,
            "wall_s": wall_s,
            "cpu_peak": peak(self._used),
            "late_max_s": late[-1],
            "late_p99_s": late[math.ceil(0.99 * len(late)) - 1],
            "dispatched": len(self._late),
            "intended": self._intended,
        }
        path = self.site.record.folder / f"generator-{self.site.record.process}.json"
        atomic_write(path, json.dumps(figures) + "\n")


def peak(used: Sequence[tuple[float, float]]) -> float | None:
    """The largest fraction of a core that was used in any ten seconds; None if the load was shorter."""
    shares = []
    for at, cpu_s in used:
        later = next((it for it in used if it[0] >= at + PEAK_S), None)
        if later:
            shares.append((later[1] - cpu_s) / (later[0] - at))
    return max(shares, default=None)
