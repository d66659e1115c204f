"""Requests to the site: to lab addresses only, never through a proxy, never re-sent."""

import http.client
import ipaddress
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from lab import process
from lab.errors import LabError, LabNotUp, RigBroken, Unreachable
from lab.topology import Lab
from lab.wait import until

TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Response:
    """An answer of the site; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    text: str


def fetch(
    lab: Lab, path: str = "/", *, method: str = "GET", body: str | None = None, timeout: float = TIMEOUT_S
) -> Response:
    """One request to the balancer's address with the site's Host header.

    Raises Unreachable when no answer comes, LabNotUp when the way there is not the lab's own.
    """
    address = str(lab.having("balancer")[0].ip)
    guard(lab, address)
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


def healthy(lab: Lab) -> bool:
    """Whether the site answers its health check through the balancer."""
    try:
        return fetch(lab, "/health", timeout=5).status == 200
    except LabError:
        return False


def guard(lab: Lab, address: str) -> None:
    """Raise LabNotUp unless packets to `address` stay on this machine and its lab network."""
    if ipaddress.ip_address(address) not in lab.network:
        raise LabNotUp(f"{address} is not an address of the lab", hint="the lab's network is in lab.yml")
    if shutil.which("ip") is None:
        return
    try:
        route = _route(["get", address])
    except RigBroken as error:
        raise LabNotUp(f"{address}: no way there, the lab is down", hint="start it: invoke lab.up") from error
    gateways = {it.get("gateway") for it in _routes(["show", "default"])} - {None}
    if route.get("type") == "unreachable" or route.get("gateway") in gateways:
        raise LabNotUp(
            f"{address} would leave this machine by its default gateway: the lab's network is not up",
            hint="start it: invoke lab.up",
        )


def _route(words: list[str]) -> dict[str, str]:
    return (_routes(words) or [{}])[0]


def _routes(words: list[str]) -> list[dict[str, str]]:
    output = process.run(["ip", "-j", "route", *words], timeout=10).output
    return list(json.loads(output or "[]"))
