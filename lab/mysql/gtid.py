"""GTID sets as MySQL prints them: 'uuid:1-5:8,uuid:tag:1-3'."""

from collections.abc import Iterable

Intervals = dict[str, list[tuple[int, int]]]


def parse(text: str) -> Intervals:
    """Parse a GTID set into source (UUID, with its tag if any) -> sorted intervals."""
    sets: Intervals = {}
    for part in filter(None, (it.strip() for it in text.replace("\n", "").split(","))):
        uuid, *rest = part.split(":")
        source = uuid.lower()
        for word in rest:
            if not word[0].isdigit():
                source = f"{uuid.lower()}:{word.lower()}"
                continue
            first, _, last = word.partition("-")
            sets.setdefault(source, []).append((int(first), int(last or first)))
    return {source: sorted(intervals) for source, intervals in sets.items()}


def subset(inner: str, outer: str) -> bool:
    """Whether every transaction of `inner` is in `outer` too."""
    return count(minus(inner, outer)) == 0


def minus(left: str, right: str) -> Intervals:
    """The transactions of `left` that are not in `right`."""
    taken = parse(right)
    result: Intervals = {}
    for source, intervals in parse(left).items():
        rest = [piece for interval in intervals for piece in _cut(interval, taken.get(source, []))]
        if rest:
            result[source] = rest
    return result


def union(left: str, right: str) -> str:
    """The transactions of both sets, each once."""
    return ",".join(filter(None, (left, text(minus(right, left)))))


def joined(transactions: Iterable[str]) -> str:
    """The set of these transactions, neighbours as one interval: 'uuid:1', 'uuid:2' is 'uuid:1-2'."""
    sets: Intervals = {}
    for source, intervals in parse(",".join(transactions)).items():
        merged = sets.setdefault(source, [])
        for first, last in intervals:
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
            else:
                merged.append((first, last))
    return text(sets)


def count(sets: Intervals) -> int:
    """The number of transactions in a set."""
    return sum(last - first + 1 for intervals in sets.values() for first, last in intervals)


def counted(number: int) -> str:
    """A number of transactions in words."""
    return f"{number} transaction{'s' * (number != 1)}"


def text(sets: Intervals) -> str:
    """Format a set as MySQL prints it."""
    return ",".join(
        f"{source}:{':'.join(str(first) if first == last else f'{first}-{last}' for first, last in intervals)}"
        for source, intervals in sets.items()
    )


def _cut(interval: tuple[int, int], taken: list[tuple[int, int]]) -> list[tuple[int, int]]:
    first, last = interval
    rest = []
    for start, end in taken:
        if end < first or start > last:
            continue
        if start > first:
            rest.append((first, start - 1))
        first = end + 1
    return [*rest, (first, last)] if first <= last else rest
