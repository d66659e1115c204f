"""The way of a request, hop by hop: name, balancer, and on each server nginx, PHP and database; what fails first."""

import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from http import HTTPStatus
from typing import Any

from lab.errors import Unreachable
from lab.nodes import name_server, site
from lab.nodes.site import Response
from lab.topology import Lab, Node

NAME_S, BALANCER_S, SERVER_S = 3.0, 10.0, 5.0
WITHOUT_PHP, THROUGH_ALL = "/static/icon.svg", "/health"
SERVED_BY = "x-served-by"
ITSELF = "itself: no server did"
DURATION = re.compile(r"(\w+);dur=([\d.]+)")


@dataclass(frozen=True)
class Hop:
    """One layer on the way: `ms` are its own milliseconds, None if it was not reached or is not known."""

    layer: str
    node: str
    ok: bool
    ms: float | None
    text: str


def walk(lab: Lab) -> list[Hop]:
    """Ask each layer; of a server only those up to the first that fails. Raises LabNotUp if no lab is up."""
    with ThreadPoolExecutor() as pool:
        begin = [pool.submit(_name, lab), pool.submit(_balancer, lab)]
        servers = [pool.submit(lambda it: list(_server(lab, it)), node) for node in lab.having("web")]
        name, balancer = (it.result() for it in begin)
        behind = [hop for it in servers for hop in it.result()]
    return [name, _blamed(balancer) if _reaches_none(balancer, behind) else balancer, *behind]


def _reaches_none(balancer: Hop, behind: Sequence[Hop]) -> bool:
    """Whether HAProxy answers itself although a server answers directly: drained, DOWN, or cut off from it."""
    works = {hop.node for hop in behind} - {hop.node for hop in behind if not hop.ok}
    return balancer.text.endswith(ITSELF) and bool(works)


def _blamed(balancer: Hop) -> Hop:
    text = f"{balancer.text}, although one answers directly: see invoke lb.status"
    return replace(balancer, ok=False, ms=None, text=text)


def _name(lab: Lab) -> Hop:
    node, wanted = lab.having("nameserver")[0].name, str(lab.having("balancer")[0].ip)
    began = time.monotonic()
    try:
        found = name_server.resolve(lab, lab.site, NAME_S)
    except Unreachable as error:
        return Hop("name", node, False, None, f"dnsmasq does not answer: {error.evidence}")
    text = f"{lab.site} is {found or 'unknown'}" + ("" if found == wanted else f", should be {wanted}")
    return Hop("name", node, found == wanted, _since(began), text)


def _balancer(lab: Lab) -> Hop:
    node = lab.having("balancer")[0]
    answer, took = _asked(lab, THROUGH_ALL, BALANCER_S)
    if isinstance(answer, str):
        return Hop("balancer", node.name, False, None, f"HAProxy does not answer: {answer}")
    served_by = answer.headers.get(SERVED_BY)
    if served_by is None:
        return Hop("balancer", node.name, True, took, f"HAProxy answers {answer.status} {ITSELF}")
    own = took - _timing(answer).get("php", took)
    return Hop("balancer", node.name, True, own, f"HAProxy sent the request to {served_by}: {answer.status}")


def _server(lab: Lab, node: Node) -> Iterator[Hop]:
    page, took = _asked(lab, WITHOUT_PHP, SERVER_S, node)
    if isinstance(page, str) or page.status != HTTPStatus.OK:
        reason = page if isinstance(page, str) else f"it answers {page.status} for a file"
        yield Hop("nginx", node.name, False, None, f"nginx does not serve: {reason}")
        return
    yield Hop("nginx", node.name, True, took, "nginx sends a file")
    answer, _ = _asked(lab, THROUGH_ALL, SERVER_S, node)
    if isinstance(answer, str) or not (answer.status == HTTPStatus.OK or _asked_a_database(answer)):
        reason = answer if isinstance(answer, str) else f"{answer.status} {_reason(answer)}"
        yield Hop("php", node.name, False, None, f"PHP does not answer: {reason}")
        return
    timing = _timing(answer)
    yield Hop("php", node.name, True, timing.get("php", 0) - timing.get("db", 0), "PHP answers")
    ok = answer.status == HTTPStatus.OK
    text = (
        f"MySQL on {answer.headers.get('x-db')} was read" if ok else f"PHP answers {answer.status}: {_reason(answer)}"
    )
    yield Hop("database", node.name, ok, timing.get("db") if ok else None, text)


def _asked_a_database(answer: Response) -> bool:
    """Whether PHP works, and says that its database does not (provision/site/index.php)."""
    refused = answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    return refused and SERVED_BY in answer.headers and "database" in answer.text


def _asked(lab: Lab, path: str, timeout: float, node: Node | None = None) -> tuple[Response | str, float]:
    """The answer, or why there is none; and the milliseconds it took."""
    began = time.monotonic()
    try:
        return site.fetch(lab, path, timeout=timeout, node=node), _since(began)
    except Unreachable as error:
        return error.evidence, _since(began)


def _since(began: float) -> float:
    return (time.monotonic() - began) * 1000


def _timing(answer: Response) -> dict[str, float]:
    """Milliseconds by what the site's header Server-Timing names: https://www.w3.org/TR/server-timing/."""
    return {name: float(ms) for name, ms in DURATION.findall(answer.headers.get("server-timing", ""))}


def _reason(answer: Response) -> str:
    return answer.text.strip()[:100]


def failed(hops: Sequence[Hop]) -> Hop | None:
    """The first layer that fails, in the order of the request's way; None if all answer."""
    return next((hop for hop in hops if not hop.ok), None)


def table(hops: Sequence[Hop]) -> list[str]:
    """A line a hop, then the first layer that fails and what to do."""
    lines = [f"{hop.layer:<9} {hop.node:<6} {_result(hop)}  {hop.text}" for hop in hops]
    first = failed(hops)
    if first is None:
        return [*lines, "every layer answers"]
    return [*lines, f"first failure: {first.layer} on {first.node}", f"next: invoke lab.logs --node {first.node}"]


def data(hops: Sequence[Hop]) -> dict[str, Any]:
    """The same for scripts."""
    first = failed(hops)
    return {"hops": [asdict(hop) for hop in hops], "failed": first and {"layer": first.layer, "node": first.node}}


def _result(hop: Hop) -> str:
    return f"{'ok' if hop.ok else 'FAILS':<5} {'' if hop.ms is None else f'{hop.ms:.0f} ms':>7}"
