"""Visitors on connections that are kept: what a change of the balancer breaks, they notice."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from lab.topology import Lab
from lab.wait import pause
from tests.support.visitors import connect


@dataclass
class Seen:
    """What the visitors saw: (monotonic time, server) of each page, and each request without one."""

    pages: list[tuple[float, str]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def shares(self, since: float) -> Counter[str]:
        """How many pages each server sent since a moment of the monotonic clock."""
        return Counter(name for at, name in self.pages if at >= since)


@contextmanager
def visitors(lab: Lab, number: int, *, every_s: float = 0.1) -> Iterator[Seen]:
    """So many visitors, each of whom asks for the page every `every_s` seconds, on one connection while it is kept."""
    seen, over = Seen(), threading.Event()
    with ThreadPoolExecutor(number) as pool:
        futures = [pool.submit(_visit, lab, seen, over, every_s) for _ in range(number)]
        try:
            yield seen
        finally:
            over.set()
    for future in futures:
        future.result()


def _visit(lab: Lab, seen: Seen, over: threading.Event, every_s: float) -> None:
    connection = connect(lab)
    while not over.is_set():
        try:
            connection.request("GET", "/", headers={"Host": lab.site})
            answer = connection.getresponse()
            answer.read()
            if answer.status == http.client.OK:
                seen.pages.append((time.monotonic(), answer.headers["X-Served-By"]))
            else:
                seen.broken.append(str(answer.status))
        except (OSError, http.client.HTTPException) as error:
            seen.broken.append(repr(error))
            connection.close()
        pause(every_s)
    connection.close()
