"""Which answers with status 200 are correct."""

import json

import pytest

from loadtests.content import NOTE, NOTES, PAGE, body, wrong

SITE, TOKEN = "www.foobar.com", "0123456789abcdef"
COMPLETE = f"<!doctype html>\n<html><body><h1>{SITE}</h1></body>\n</html>\n"
OTHER = {"token": "f" * 16, "body": body("f" * 16)}
MINE = {"token": TOKEN, "body": body(TOKEN), "db": "web1"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (PAGE, COMPLETE),
        (NOTES, json.dumps({"notes": [MINE, OTHER]})),
        (NOTES, json.dumps({"notes": []})),
        (NOTE, json.dumps(MINE)),
        ("/health", "anything"),
    ],
)
def test_what_was_asked_for_is_an_answer(name: str, text: str) -> None:
    """A page, a list, a note; answers of other addresses are not checked."""
    assert wrong(name, SITE, TOKEN, text) == ""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (PAGE, ""),
        (PAGE, "<html><h1>Welcome to nginx!</h1></html>"),
        (PAGE, COMPLETE[:-12]),
        (NOTES, ""),
        (NOTES, "[]"),
        (NOTES, '{"notes": {}}'),
        (NOTES, '{"notes": [{"token": "a"}]}'),
        (NOTES, '{"error": "unknown"}'),
        (NOTE, ""),
        (NOTE, "{"),
        (NOTE, json.dumps(OTHER)),
        (NOTE, json.dumps({**MINE, "body": "something else"})),
        (NOTE, json.dumps({"notes": [MINE]})),
    ],
)
def test_another_200_is_a_failed_read(name: str, text: str) -> None:
    """An empty answer, another site's page, a part of it, another note, another body."""
    assert wrong(name, SITE, TOKEN, text).startswith("not ")
