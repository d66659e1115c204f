"""A visitor who comes back: a browser's cookies, and the counter of its visits in a PHP session."""

import json
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookies import SimpleCookie

from lab.topology import Lab
from tests.support.visitors import connect

PATH = "/api/visits"


@dataclass(frozen=True)
class Visit:
    """What the site answered: the counter, what came of the session, and who served it."""

    visits: int
    session: str
    served_by: str


@dataclass
class Visitor:
    """Asks on a new connection each time, with the cookies of the answers before."""

    lab: Lab
    cookies: dict[str, str] = field(default_factory=dict)

    def visit(self) -> Visit:
        """Come once; raises AssertionError if the answer is not a counted visit."""
        sent = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Host": self.lab.site, "Connection": "close"} | ({"Cookie": sent} if sent else {})
        with closing(connect(self.lab)) as connection:
            connection.request("GET", PATH, headers=headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        assert answer.status == HTTPStatus.OK, f"{answer.status}: {text}"
        for header in answer.headers.get_all("Set-Cookie", []):
            self.cookies |= {it.key: it.value for it in SimpleCookie(header).values()}
        told = Visit(**json.loads(text))
        assert told.served_by == answer.headers["X-Served-By"], text
        return told
