"""How answers are judged and where the load may be sent, without Locust."""

from dataclasses import replace
from ipaddress import IPv4Network

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError

from lab import topology
from lab.errors import BadInput
from loadtests.outcome import judge, reason
from loadtests.target_guard import LabAdapter, TargetGuard
from tests.support import fake_site

POOL = HTTPConnectionPool("127.0.0.1")
REFUSED = requests.ConnectionError(MaxRetryError(POOL, "/", NewConnectionError(POOL, "refused")))  # type: ignore[arg-type]
ABORTED = requests.ConnectionError(ProtocolError("Connection aborted."))
LAB = topology.load()


@pytest.mark.parametrize(
    ("status", "error", "read", "write"),
    [
        (200, None, "ok", "ok"),
        (201, None, "failed", "ok"),
        (303, None, "failed", "unknown"),
        (400, None, "failed", "failed"),
        (404, None, "failed", "failed"),
        (413, None, "failed", "failed"),
        (500, None, "failed", "unknown"),
        (502, None, "failed", "unknown"),
        (503, None, "failed", "failed"),
        (504, None, "failed", "unknown"),
        (0, REFUSED, "failed", "failed"),
        (0, requests.ConnectTimeout(), "failed", "failed"),
        (0, requests.ReadTimeout(), "failed", "unknown"),
        (0, ABORTED, "failed", "unknown"),
        (0, requests.exceptions.ChunkedEncodingError(), "failed", "unknown"),
    ],
)
def test_a_write_is_failed_only_when_it_can_never_appear(
    status: int, error: Exception | None, read: str, write: str
) -> None:
    """The site's contract for writes; a read changes nothing, so it is never unknown."""
    assert (judge("GET", status, error), judge("POST", status, error)) == (read, write)


def test_reasons_are_few_enough_to_count_by() -> None:
    """They contain no address, port or token."""
    texts = [reason(504, None), reason(0, REFUSED), reason(0, ABORTED)]
    assert texts == ["HTTP 504", "not connected", "no whole answer (ConnectionError)"]


@pytest.mark.parametrize(
    "host",
    [
        "http://192.168.57.10",
        "http://www.foobar.com",
        "http://192.168.56.10.example.org",
        "http://[::1]",
        "https://192.168.56.10",
        "192.168.56.10",
        "",
        "http://",
        "http://192.168.56.10/path",
        "http://192.168.56.10:port",
        "http://192.168.56.10@127.0.0.1",
        "http://127.0.0.1\\@192.168.56.10",
        "http://192.168.56.10#@127.0.0.1",
    ],
)
def test_a_host_is_an_address_of_the_lab_and_nothing_else(host: str) -> None:
    """Names, other networks, and texts that two parsers read differently are refused."""
    assert isinstance(TargetGuard(LAB).lost(host), BadInput)


def test_the_client_itself_connects_to_the_lab_only() -> None:
    """A second check after that of the settings: the address that a request really connects to."""
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", LabAdapter(replace(LAB, network=IPv4Network("127.0.56.0/24"))))
    with pytest.raises(BadInput, match=r"127\.0\.0\.1 is not an address of the lab"):
        session.get("http://127.0.0.1:9/")


@pytest.mark.parametrize(
    ("adapter", "sent"),
    [(LabAdapter(replace(LAB, network=IPv4Network("127.0.0.0/8"))), 1), (HTTPAdapter(max_retries=Retry(3)), 4)],
)
def test_counting_at_the_server_tells_a_client_that_sends_again(adapter: HTTPAdapter, sent: int) -> None:
    """The server counts one request from this client, and more from a client that retries."""
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", adapter)
    with fake_site.running() as site:
        with pytest.raises(requests.ConnectionError):
            session.get(f"{site.host}/closes", timeout=5)
        assert len(site.seen) == sent
