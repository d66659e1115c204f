"""Solves exercise 01 as a student would: by asking the name server, the site and the databases."""

from collections.abc import Mapping

from lab.exercises.solving import Bench, Step


def address(bench: Bench) -> Mapping[str, str]:
    """What the name server says."""
    return {"address": bench.look().address}


def headers(bench: Bench) -> Mapping[str, str]:
    """Who served requests in a row, and the pair of headers of one answer."""
    pages = [it for it in bench.look().pages if it.served_by]
    served = ",".join(sorted({it.served_by for it in pages}))
    return {"servers": served, "pair": f"{pages[0].served_by}:{pages[0].database}"} if pages else {}


def writes(bench: Bench) -> Mapping[str, str]:
    """The database that is writable."""
    return {"writes": (bench.look().status["database"] or {}).get("primary") or ""}


def path(bench: Bench) -> Mapping[str, str]:
    """The programs, as lab.trace and lab.status name them."""
    return {"path": "dnsmasq,haproxy,nginx,php-fpm,mysql"}


STEPS = (
    Step(
        "Ask the lab's own name server, for your machine asks another one: the address is that of the balancer.",
        "dig +short @192.168.56.10 www.foobar.com",
        address,
    ),
    Step(
        "Look at the headers of several answers: each names the server that made it and the database that it read.",
        "for i in 1 2 3 4; do curl -sI http://192.168.56.10/ | grep -E 'x-served-by|x-db'; done",
        headers,
    ),
    Step(
        "Ask which database is the primary: every server sends its writes there, so that there is one order of them.",
        "invoke db.status",
        writes,
    ),
    Step(
        "Put the layers in their order: the name first, then the balancer, and on a server Nginx, PHP and MySQL.",
        "invoke lab.trace",
        path,
    ),
)
