"""Which database takes the site's writes: asked through the balancer, without a new note if one is known."""

import json

import pytest

from lab import topology
from lab.nodes import site
from lab.nodes.site import Response
from lab.topology import Lab

LAB = topology.load()
NOTE = json.dumps({"token": "known", "body": "hello"})


def asked(monkeypatch: pytest.MonkeyPatch, known: str, status: int) -> tuple[str, dict[str, str]]:
    """The database that is named, and the only request that was sent."""
    sent: list[str] = []

    def fetch(lab: Lab, path: str = "/", *, method: str = "GET", body: str = "", timeout: float = 0.0) -> Response:
        assert (path, method) == ("/api/notes", "POST")
        sent.append(body)
        return Response(status, {"x-db": "web2"}, "{}")

    monkeypatch.setattr(site, "fetch", fetch)
    name = site.writer(LAB, known)
    assert len(sent) == 1
    return name, json.loads(sent[0])


@pytest.mark.parametrize("status", [200, 504])
def test_a_known_note_tells_who_takes_writes(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """Also while its commit waits for a replica. It is sent unchanged: even if it was unknown, it is its author's."""
    assert asked(monkeypatch, NOTE, status) == ("web2", json.loads(NOTE))


def test_without_notes_one_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no other way to find out."""
    name, sent = asked(monkeypatch, "", 201)
    assert name == "web2" and sent["token"].startswith("promoted-") and sent["body"]


def test_a_refused_write_names_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """503: it went nowhere."""
    assert asked(monkeypatch, NOTE, 503)[0] == ""
