"""What is known about a request once it is over."""

from typing import Literal

import requests
from urllib3.exceptions import NewConnectionError

Outcome = Literal["ok", "failed", "unknown"]


def judge(method: str, status: int, error: Exception | None) -> Outcome:
    """Judge a request by its answer, or by the error that came in place of one.

    A write is `failed` only when it can never appear: it was not sent, or it was refused. Without an
    answer, or with one that does not tell (500, 502, 504), it is `unknown`. A read changes nothing, so
    it has either succeeded or failed.
    """
    if method == "GET":
        return "ok" if status == 200 and error is None else "failed"
    if error is not None:
        return "failed" if _unsent(error) else "unknown"
    if status in (200, 201):
        return "ok"
    return "failed" if status == 503 or 400 <= status < 500 else "unknown"


def reason(status: int, error: Exception | None) -> str:
    """The same in a few words, few enough to count by."""
    if error is None:
        return f"HTTP {status}"
    return "not connected" if _unsent(error) else f"no whole answer ({type(error).__name__})"


def _unsent(error: Exception) -> bool:
    """Whether the connection could not even be made: refused, no way there, or not in time."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(cause, NewConnectionError)
