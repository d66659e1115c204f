"""What the load writes, and whether an answer with status 200 is correct: the page, a list of notes, or a note."""

import json
from typing import Any
from uuid import uuid4

PAGE, NOTES, NOTE = "/", "/api/notes", "/api/notes/TOKEN"


def new_token() -> str:
    """The unique token of a new note."""
    return uuid4().hex


def body(token: str) -> str:
    """The text that the load writes under a token."""
    return f"load test, note {token[:8]}"


def wrong(name: str, site: str, token: str, text: str) -> str:
    """Why an answer is wrong, or '' if it is right; there are few different reasons, so that they can be counted."""
    if name == PAGE:
        complete = f"<h1>{site}</h1>" in text and text.rstrip().endswith("</html>")
        return "" if complete else "not the whole page"
    if name == NOTES:
        listed = _data(text).get("notes")
        notes = isinstance(listed, list) and all(
            isinstance(it, dict) and "token" in it and "body" in it for it in listed
        )
        return "" if notes else "not a list of notes"
    if name == NOTE:
        note = _data(text)
        return "" if (note.get("token"), note.get("body")) == (token, body(token)) else "not the note"
    return ""


def _is_note(it: object) -> bool:
    return isinstance(it, dict) and {"token", "body"} <= it.keys()


def _data(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}
