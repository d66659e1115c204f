"""A report taken apart, as a browser would, and a text of it down to its facts."""

import json
import re
from html.parser import HTMLParser
from typing import Any


class Plots:
    """The figure of a run."""

    def __init__(self, figure: dict[str, Any]) -> None:
        self.figure = figure

    @property
    def titles(self) -> list[str]:
        """The titles of the plots, from top to bottom."""
        return [re.sub("<.*?>", "", it["text"]) for it in self.figure["layout"]["annotations"]]


class Page(HTMLParser, Plots):
    """A page taken apart: the text that a reader sees, tags, what it loads, and the figure."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.texts: list[str] = []
        self.figure: dict[str, Any] = {}
        self._inside: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag and what it would load."""
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]
        if tag not in ("meta", "br", "link"):
            self._inside.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Leave a tag: every one is closed where it should be."""
        assert self._inside.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        """Note the text, which in a script is for the browser alone."""
        tag, attrs = self._inside[-1] if self._inside else ("", {})
        if attrs.get("id") == "figure":
            self.figure = json.loads(data)
        elif tag not in ("script", "style"):
            self.texts.append(data)

    @property
    def text(self) -> str:
        """All that a reader sees, with single spaces."""
        return " ".join(" ".join(self.texts).split())

    @property
    def lines(self) -> list[str]:
        """The same, each text in a line of its own."""
        return [" ".join(it.split()) for it in self.texts if it.strip()]


def facts(text: str) -> str:
    """The nodes and numbers of a text, in their order; the words between them may change."""
    return " ".join(re.findall(r"\b(?:lb|web)\d\b|\d+(?:\.\d+)?", text))


def bars(page: Plots, label: str) -> list[tuple[str, float, float]]:
    """The parts of lanes with that label: lane, from, to; names without their markup."""
    found = []
    for trace in page.figure["data"]:
        for lane, text, base, length in zip(*(trace.get(it, ()) for it in ("y", "text", "base", "x")), strict=False):
            if text == label:
                found.append((re.sub("<.*?>", "", lane), base, base + length))
    return found
