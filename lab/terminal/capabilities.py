"""What an output stream can show: colours, lines that change in place, letters beyond ASCII. Decided only here."""

import os
from typing import TextIO

PLAIN = "WEBLAB_PLAIN"  # plain lines without colours on a terminal too, for screen readers and recordings
LOCALE = ("LC_ALL", "LC_CTYPE", "LANG")  # the first that is set decides, locale(7)
OFF = ("", "0", "false", "no")


def colour(stream: TextIO) -> bool:
    """Whether to write colours: to a terminal that knows them, unless NO_COLOR is set (https://no-color.org)."""
    return _knows_codes(stream) and not os.environ.get("NO_COLOR")


def live(stream: TextIO) -> bool:
    """Whether to change lines in place: on a terminal, but not in CI, where every frame would stay in the log."""
    return _knows_codes(stream) and not _is_on("CI")


def unicode(stream: TextIO) -> bool:
    """Whether letters beyond ASCII are shown; with LC_ALL=C Python writes UTF-8 to a terminal that may not know it."""
    locale = next((os.environ[name] for name in LOCALE if os.environ.get(name)), "")
    return all("utf8" in name.lower().replace("-", "") for name in (stream.encoding or "", locale))


def columns(stream: TextIO) -> int:
    """How many characters fit in a line of the terminal now."""
    return os.get_terminal_size(stream.fileno()).columns or 80


def _knows_codes(stream: TextIO) -> bool:
    return stream.isatty() and not _is_on(PLAIN) and _kind() not in ("", "dumb", "unknown")


def _kind() -> str:
    return os.environ.get("TERM", "windows" if os.name == "nt" else "").lower()


def _is_on(name: str) -> bool:
    return os.environ.get(name, "").lower() not in OFF
