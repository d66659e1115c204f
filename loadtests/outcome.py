"""The outcome of a request: ok, failed or unknown."""

from typing import Literal

import requests
from urllib3.exceptions import NewConnectionError

REFUSED = "X-Refused"
Outcome = Literal["ok", "failed", "unknown"]


def judge(method: str, status: int, error: Exception | None) -> Outcome:
    """Judge a request by its answer, or by the error if there was no answer.

    A write is `failed` only if it can never appear: it was not sent, or it was refused. It is `unknown` without an
    answer, and with one that does not say whether it was done (500, 502, 504). A read changes nothing, so it is `ok`
    or `failed`.
    """
    if method == "GET":
        return "ok" if status == 200 and error is None else "failed"
    if error is not None:
        return "failed" if _unsent(error) else "unknown"
    if status in (200, 201):
        return "ok"
    return "failed" if status == 503 or 400 <= status < 500 else "unknown"


def reason(status: int, error: Exception | None, refused: str = "") -> str:
    """The reason in few words; there are few different ones, so that they can be counted.

    `refused`: the header with which HAProxy says why it refused (provision/templates/haproxy.cfg.j2).
    """
    if error is None:
        return f"HTTP {status} {refused}".rstrip()
    return "not connected" if _unsent(error) else f"no whole answer ({type(error).__name__})"


def _unsent(error: Exception) -> bool:
    """Whether the connection failed, so that nothing was sent: refused, no route, or timed out."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(cause, NewConnectionError)
