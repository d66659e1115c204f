"""What the load writes, and whether an answer with status 200 is the right one: the page, a list of notes, a note."""

import json
from typing import Any
from uuid import uuid4

PAGE, NOTES, NOTE = "/", "/api/notes", "/api/notes/TOKEN"


def new_token() -> str:
    """The token of a new note: it tells this note from all others."""
    return uuid4().hex


def body(token: str) -> str:
    """What the load writes under a token."""
    return f"load test, note {token[:8]}"


def wrong(name: str, site: str, token: str, text: str) -> str:
    """Why an answer is not what was asked for, in words few enough to count by; '' where it is."""
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
