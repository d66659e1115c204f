"""Limits of the load: it is sent only to addresses of the lab, only while it is up, and each request only once."""

import logging
import socket
import threading
import time
from typing import Any
from urllib.parse import SplitResult, urlsplit

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool

from lab.errors import BadInput, LabError, LabNotUp
from lab.nodes import route
from lab.topology import Lab

CONNECT_S, READ_S = 2.0, 15.0
ASK_AGAIN_S = 2.0


class TargetGuard:
    """Whether requests may go to a host; checked again every 2 seconds, because a lab can be destroyed under load."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._refusal: LabError | None = None
        self._host = ""
        self._asked_at = 0.0
        self._one_asks = threading.Lock()

    def belongs(self, host: str) -> None:
        """Raise BadInput unless `host` is an address of the lab; the lab need not be up."""
        route.belongs(self.lab, self._parts(host).hostname or "")

    def reach(self, host: str) -> None:
        """Raise BadInput unless `host` is the lab's, and LabNotUp unless it accepts connections."""
        self._guard(host)
        parts = urlsplit(host)
        try:
            socket.create_connection((str(parts.hostname), parts.port or 80), timeout=CONNECT_S).close()
        except OSError as error:
            raise LabNotUp(
                f"{host} does not accept connections ({error})", hint="see what is down: invoke lab.status"
            ) from error

    def lost(self, host: str) -> LabError | None:
        """Why no request may go to `host`, or None."""
        with self._one_asks:
            now = time.monotonic()
            if host != self._host or now - self._asked_at > ASK_AGAIN_S:
                self._host, self._asked_at, self._refusal = host, now, self._ask(host)
            return self._refusal

    def _ask(self, host: str) -> LabError | None:
        try:
            self._guard(host)
        except LabError as error:
            logging.error("the load may not be sent: %s", error)
            return error
        return None

    def _guard(self, host: str) -> None:
        parts = self._parts(host)
        route.guard(self.lab, parts.hostname or "")

    def _parts(self, host: str) -> SplitResult:
        try:
            parts = urlsplit(host)
            plain = parts.port != 0 and host in (f"http://{parts.hostname}", f"http://{parts.hostname}:{parts.port}")
        except ValueError:
            plain = False
        if not plain:
            raise BadInput(f"{host!r} is not a host of the lab", hint=f"the lab's host is {self.lab.url}")
        return parts


class LabAdapter(HTTPAdapter):
    """Sends a request once, and only if the address that it really connects to is the lab's."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(max_retries=0)
        self.lab = lab

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        """The connection pool for a request, if its address is the lab's."""
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        route.belongs(self.lab, pool.host)
        return pool
