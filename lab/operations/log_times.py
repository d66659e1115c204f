"""When a line of a log file was written. Each service writes its times in a form of its own."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

ISO, NGINX, PHP = "iso", "%Y/%m/%d %H:%M:%S", "%d-%b-%Y %H:%M:%S"
# MySQL's and the site's own lines have a zone, the others are in the zone of the node.
PATTERNS = (
    (re.compile(r"\b(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))"), ISO),
    (re.compile(r"^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)"), NGINX),
    (re.compile(r"^\[(\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d)"), PHP),
)


def since(lines: Iterable[str], moment: float, zone: str = "+0000") -> Iterator[str]:
    """The lines from a moment on, in Unix seconds; a line without a time belongs to the one before it."""
    recent = False
    for line in lines:
        at = written(line, zone)
        recent = recent if at is None else at >= moment
        if recent:
            yield line


def written(line: str, zone: str = "+0000") -> float | None:
    """The time in a line, in Unix seconds; None where it has none."""
    for pattern, form in PATTERNS:
        if match := pattern.search(line):
            return _seconds(match[1], form, zone)
    return None


def _seconds(text: str, form: str, zone: str) -> float | None:
    try:
        if form == ISO:
            return datetime.fromisoformat(text).timestamp()
        return datetime.strptime(f"{text} {zone}", f"{form} %z").timestamp()
    except ValueError:
        return None
