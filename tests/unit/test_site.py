"""Who takes the site's writes: asked through the balancer, without leaving a note where one is there."""

import json

import pytest

from lab import site, topology
from lab.site import Response
from lab.topology import Lab

LAB = topology.load()
NOTE = {"token": "known", "body": "hello"}
NO_PAGE: list[dict[str, str]] = []


def asked(monkeypatch: pytest.MonkeyPatch, notes: list[dict[str, str]], status: int) -> tuple[str, dict[str, str]]:
    """The database that is named, and what was sent."""
    sent: list[str] = []

    def fetch(lab: Lab, path: str = "/", *, method: str = "GET", body: str = "", timeout: float = 0.0) -> Response:
        if method == "GET":
            return Response(503 if notes is NO_PAGE else 200, {"x-db": "web1"}, json.dumps({"notes": notes}))
        sent.append(body)
        return Response(status, {"x-db": "web2"}, "{}")

    monkeypatch.setattr(site, "fetch", fetch)
    return site.writer(LAB), json.loads(sent[0] if sent else "{}")


@pytest.mark.parametrize("status", [200, 504])
def test_a_known_note_tells_who_takes_writes(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """Also while its commit waits for a replica; the database of the read does not count."""
    name, sent = asked(monkeypatch, [NOTE], status)
    assert (name, sent["token"]) == ("web2", "known")


def test_without_notes_one_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else would tell."""
    name, sent = asked(monkeypatch, [], 201)
    assert name == "web2" and sent["token"].startswith("promoted-") and sent["body"]


def test_a_refused_write_names_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """503: it went nowhere."""
    assert asked(monkeypatch, [NOTE], 503)[0] == ""


def test_a_site_that_shows_no_notes_is_not_asked_further(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not yet: whoever waits asks again."""
    assert asked(monkeypatch, NO_PAGE, 201) == ("", {})
