"""Requests to the site: to lab addresses only, never through a proxy, never re-sent."""

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

from lab.errors import LabError, Unreachable
from lab.nodes import route
from lab.topology import Lab, Node
from lab.wait import until

TIMEOUT_S = 10.0
WRITE_S = 15.0  # longer than the balancer waits for a write


@dataclass(frozen=True)
class Response:
    """An answer of the site; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    text: str


def fetch(
    lab: Lab,
    path: str = "/",
    *,
    method: str = "GET",
    body: str | None = None,
    timeout: float = TIMEOUT_S,
    node: Node | None = None,
) -> Response:
    """Send one request with the site's Host header to the balancer, or to `node` directly.

    Raises Unreachable if no answer comes, LabNotUp if the route there is not the lab's own.
    """
    address = str((node or lab.having("balancer")[0]).ip)
    route.guard(lab, address)
    connection = http.client.HTTPConnection(address, 80, timeout=timeout)
    headers = {"Host": lab.site, "Connection": "close"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", errors="replace")
        return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, text)
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(
            f"{method} http://{address}{path}: no answer",
            evidence=f"{type(error).__name__}: {error}",
            hint="see what is down: invoke lab.status",
        ) from error
    finally:
        connection.close()


def first_page(lab: Lab, timeout: float = 60.0) -> Response:
    """Wait until the page comes through the balancer with 200, and return it."""

    def ask() -> Response | None:
        page = fetch(lab)
        return page if page.status == 200 else None

    page = until(f"{lab.url} answers 200", ask, timeout, where="site", hint="see what is down: invoke lab.status")
    assert page is not None
    return page


def writer(lab: Lab, known: str) -> str:
    """The name of the database that the site writes to now; '' if it finds none.

    `known` is a note of that database, as JSON: sending it again changes nothing. It must not come from the site's
    list, which may be of a server with notes of its own: a new note would then take the token of a visitor's note. If
    `known` is '' a new note is left.
    """
    note = known or json.dumps({"token": f"promoted-{time.time():.0f}", "body": "who is the primary now?"})
    answer = fetch(lab, "/api/notes", method="POST", body=note, timeout=WRITE_S)
    return answer.headers.get("x-db", "") if answer.status != 503 else ""


def healthy(lab: Lab) -> bool:
    """Whether the site answers its health check through the balancer."""
    try:
        return fetch(lab, "/health", timeout=5).status == 200
    except LabError:
        return False
