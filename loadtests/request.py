"""One request: sent once, on its own connection, judged and recorded.

A site has many visitors and most of them are new, so each request has its own connection and no cookie. Results over
kept connections would look better and be harder to judge: a kept connection hides that no new ones are possible, and
a request on a connection that was just closed fails through the client, with an unknown outcome. The cost is a
handshake for each request, and a port of this machine for a minute: about 400 requests a second are the maximum.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace

import gevent
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from lab.clock import now
from lab.topology import Lab
from loadtests import content
from loadtests.outcome import REFUSED, judge, reason
from loadtests.record import Record, Request
from loadtests.target_guard import CONNECT_S, READ_S, LabAdapter

LONGEST_S = CONNECT_S + READ_S  # for the complete answer: READ_S alone starts anew with each byte


@dataclass(frozen=True)
class Visit:
    """A request to make, and its intended time; a write has a token, under which it leaves a note."""

    method: str
    path: str
    name: str
    intended: float
    token: str = ""


class Site:
    """The site as visitors see it; `adapter` creates the HTTP adapter for one request."""

    def __init__(self, lab: Lab, host: str, record: Record, adapter: Callable[[Lab], HTTPAdapter] = LabAdapter) -> None:
        self.lab, self.host, self.record, self.adapter = lab, host, record, adapter

    def visit(self, visit: Visit) -> tuple[Request, int]:
        """Make a request; returns it with its outcome, and the size of its answer in bytes."""
        request = Request(visit.method, visit.name, visit.intended, now(), visit.token)
        if visit.method == "POST":
            self.record.intend(request)
            request = replace(request, sent=now())
        answer, error = self._ask(visit)
        ended, outcome = now(), judge(visit.method, answer.status_code or 0, error)
        why = "" if outcome == "ok" else reason(answer.status_code, error, answer.headers.get(REFUSED, ""))
        if outcome == "ok" and visit.method == "GET":
            why = content.wrong(visit.name, self.lab.site, visit.token, answer.content.decode(errors="replace"))
        request = replace(
            request,
            ended=ended,
            status=answer.status_code or 0,
            outcome="failed" if why and outcome == "ok" else outcome,
            reason=why,
            served_by=answer.headers.get("X-Served-By", ""),
            db=answer.headers.get("X-Db", "").removeprefix("none"),
        )
        self.record.end(request)
        return request, len(answer.content or b"")

    def miss(self, visit: Visit) -> Request:
        """Record a visit that did not start before the end because too many others were under way."""
        request = Request(visit.method, visit.name, visit.intended, now(), visit.token, now(), 0, "failed", "not sent")
        self.record.end(request)
        return request

    def _ask(self, visit: Visit) -> tuple[requests.Response, Exception | None]:
        headers = {"Host": self.lab.site, "Connection": "close"}
        note = {"token": visit.token, "body": content.body(visit.token)} if visit.method == "POST" else None
        prepared = requests.Request(visit.method, f"{self.host}{visit.path}", headers, json=note).prepare()
        try:
            with gevent.Timeout(LONGEST_S, requests.ReadTimeout()), closing(self.adapter(self.lab)) as adapter:
                # Without a session, which would follow redirects, keep cookies and read http_proxy.
                answer = adapter.send(prepared, timeout=(CONNECT_S, READ_S))
                answer.content  # noqa: B018  # reading the body is part of the request
                return answer, None
        except (OSError, HTTPError) as error:  # errors of the library requests are OSErrors
            return requests.Response(), error
