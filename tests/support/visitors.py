"""Visitors of the site: one who asks once, and a crowd that asks again and again."""

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from secrets import token_hex
from typing import TypeAlias

from lab.nodes import facts, route
from lab.nodes.ssh import Machine
from lab.topology import Lab

CROWD = 100
LEAVERS = 40  # a second
GET = b"GET / HTTP/1.1\r\nHost: www.foobar.com\r\n"
Answer: TypeAlias = tuple[int, dict[str, str], str]  # status, headers, text


def downs(balancer: Machine) -> int:
    """How often a server became DOWN since HAProxy's start."""
    text = balancer.run(facts.BALANCER, title="asks HAProxy").stdout
    names = text.splitlines()[0].removeprefix("# ").split(",")
    rows = [dict(zip(names, line.split(","), strict=False)) for line in text.splitlines()[1:]]
    return sum(int(row["chkdown"] or 0) for row in rows if row.get("pxname") == "web" and row["svname"] != "BACKEND")


def connect(lab: Lab, patience_s: float = 20) -> http.client.HTTPConnection:
    """A connection to the balancer, which is kept."""
    address = str(lab.having("balancer")[0].ip)
    route.guard(lab, address)
    return http.client.HTTPConnection(address, timeout=patience_s)


def asked(lab: Lab, path: str, method: str = "GET", body: str = "", patience_s: float = 20) -> Answer:
    """One request on a connection of its own."""
    with ExitStack() as stack:
        connection = connect(lab, patience_s)
        stack.callback(connection.close)
        connection.request(method, path, body or None, {"Host": lab.site, "Connection": "close"})
        answer = connection.getresponse()
        return answer.status, {name.lower(): it for name, it in answer.getheaders()}, answer.read().decode()


def noted(lab: Lab) -> Answer:
    """The same for a note of its own."""
    return asked(lab, "/api/notes", "POST", json.dumps({"token": token_hex(8), "body": "in a crowd"}))


@contextmanager
def crowd(ask: Callable[[], Answer], users: int = CROWD) -> Iterator[list[Answer]]:
    """So many users who ask again as soon as they are answered; what they were answered, 0 where a connection broke.

    Who has no patience any more hears nothing.
    """
    answers: list[Answer] = []
    over = threading.Event()

    def user() -> None:
        while not over.is_set():
            try:
                answers.append(ask())
            except TimeoutError:
                continue
            except (OSError, http.client.HTTPException) as error:
                answers.append((0, {}, repr(error)))

    with ThreadPoolExecutor(users) as pool:
        for _ in range(users):
            pool.submit(user)
        try:
            yield answers
        finally:
            over.set()


@contextmanager
def leaving(lab: Lab) -> Iterator[None]:
    """Visitors who ask for the page and leave at once, without its answer."""
    address = str(lab.having("balancer")[0].ip)
    route.guard(lab, address)
    over = threading.Event()

    def leave() -> None:
        with suppress(OSError), socket.create_connection((address, 80), timeout=10) as connection:
            connection.sendall(GET + b"\r\n")
            over.wait(0.03)

    def come() -> None:
        with ThreadPoolExecutor(LEAVERS) as pool:
            while not over.wait(1 / LEAVERS):
                pool.submit(leave)

    thread = threading.Thread(target=come)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
