"""Looks the site's name up again and again, as new visitors do: the load goes to an address and needs no name."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from lab import clock
from lab.analysis.spof import Try
from lab.errors import LabError
from lab.nodes import name_server
from lab.topology import Lab

EVERY_S, ANSWER_S, JOIN_S = 0.5, 2.0, 5.0


@contextmanager
def watching(lab: Lab) -> Iterator[list[Try]]:
    """Ask the lab's name server until the block ends; the list gets each lookup when it is over."""
    over, made = threading.Event(), list[Try]()

    def ask() -> None:
        while not over.wait(EVERY_S):
            made.append(_lookup(lab))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        over.set()
        thread.join(JOIN_S)


def _lookup(lab: Lab) -> Try:
    due = clock.now()
    try:
        ok = name_server.resolve(lab, lab.site, ANSWER_S) == str(lab.having("balancer")[0].ip)
    except LabError:
        ok = False
    return Try(due, clock.now(), ok)
