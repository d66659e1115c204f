"""Whether an output has the shape of the one that a page shows: the same lines and words, whatever the figures.

What differs from run to run becomes a word: times, durations, identifiers, numbers. What says how something went stays
as it is: addresses, names of machines, the status of an answer, an exit code, and zero, for nothing is not something.
"""

import re
from collections.abc import Iterator, Sequence
from difflib import unified_diff

ELLIPSIS = "..."
# A line of lab.progress: another one each time, and gone where a terminal shows them in place.
PROGRESS = re.compile(r" *\d+\.\d+s  \S+ +\S.*")
TOKEN = re.compile(
    r"""
  (?P<TIME> \d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z? | \d{8}T\d{6}Z
    | [A-Z][a-z]{2},\ \d\d\ [A-Z][a-z]{2}\ \d{4}\ [\d:]+\ GMT )
| (?P<ID> \b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b | \b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{12,}\b )
| (?P<keep> \d+(\.\d+){3} | HTTP(/[\d.]+)?\ \d{3} | \bexit(\ code)?\ \d+ )
| (?P<VERSION> (?<=php)\d+\.\d+ )
| (?P<name> (?<=[A-Za-z])\d+ )
| (?P<DURATION> \d+(\.\d+)?(?=\ ?m?s\b) )
| (?P<number> \d+(\.\d+)? )
""",
    re.VERBOSE,
)
SERVERS = {"web1": "web2", "web2": "web1"}
SERVED_BY = re.compile(r"(?<=served[-_]by)(\W+)(web[12])")


def shape(line: str) -> str:
    """A line without what differs from run to run."""
    return " ".join(TOKEN.sub(_word, line).split())


def _word(found: "re.Match[str]") -> str:
    kind = str(found.lastgroup)
    if kind == "number":
        return "N" if float(found[0]) else "0"
    return kind if kind.isupper() else found[0]


def answer(output: str) -> list[str]:
    """The lines of an output, without those that only tell of progress."""
    lines = [line.rstrip() for line in output.splitlines()]
    shown = [line for line in lines if not PROGRESS.fullmatch(line)]
    while shown and not shown[-1]:
        shown.pop()
    return shown


def difference(expected: Sequence[str], actual: Sequence[str], *, either: bool = False) -> str:
    """How the shape of an output differs from the expected one, as a unified diff; '' where it does not.

    `...` in the expected output stands for any lines. `either`: the balancer may have begun with the other server.
    """
    wanted = [shape(line) for line in expected]
    candidates = _begun_with_either(actual) if either else [actual]
    found = [[shape(line) for line in shortened(expected, it)] for it in candidates]
    if wanted in found:
        return ""
    return "\n".join(unified_diff(wanted, found[0], "the page, without figures", "what came", lineterm=""))


def shortened(expected: Sequence[str], actual: Sequence[str]) -> list[str]:
    """An output without the lines that the expected one leaves out, `...` in their place; all where it has none such.

    What stands before the first ellipsis is as many lines from the beginning, what stands after the last one as many
    from the end; anything between two of them is looked for.
    """
    first, *others = _parts(expected)
    if not others:
        return list(actual)
    *middle, last = others
    begin, end = len(first), len(actual) - len(last)
    short = [*actual[:begin], ELLIPSIS]
    for part in middle:
        place = _place(part, actual[begin:end])
        if place is None:
            return list(actual)
        begin += place + len(part)
        short += [*actual[begin - len(part) : begin], ELLIPSIS]
    return [*short, *actual[end:]] if begin <= end else list(actual)


def _parts(expected: Sequence[str]) -> list[list[str]]:
    """The lines between the ellipses."""
    parts: list[list[str]] = [[]]
    for line in expected:
        if line == ELLIPSIS:
            parts.append([])
        else:
            parts[-1].append(line)
    return parts


def _place(part: Sequence[str], lines: Sequence[str]) -> int | None:
    """Where lines of the shape of a part begin."""
    wanted = [shape(line) for line in part]
    shapes = [shape(line) for line in lines]
    return next((it for it in range(len(shapes)) if shapes[it : it + len(wanted)] == wanted), None)


def _begun_with_either(actual: Sequence[str]) -> Iterator[Sequence[str]]:
    """As it is, with the servers in each other's place, and so only where it says who served an answer."""
    yield actual
    yield [re.sub("web[12]", lambda it: SERVERS[it[0]], line) for line in actual]
    yield [SERVED_BY.sub(lambda it: it[1] + SERVERS[it[2]], line) for line in actual]
