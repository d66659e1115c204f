"""Set operations on GTID sets as text."""

from lab.mysql import gtid


def union(*sets: str) -> str:
    """All transactions of the sets, with adjacent intervals merged."""
    merged: gtid.Intervals = {}
    for source, intervals in gtid.parse(",".join(filter(None, sets))).items():
        rest: list[tuple[int, int]] = []
        for first, last in intervals:
            if rest and first <= rest[-1][1] + 1:
                rest[-1] = (rest[-1][0], max(last, rest[-1][1]))
            else:
                rest.append((first, last))
        merged[source] = rest
    return gtid.text(merged)


def minus(left: str, right: str) -> str:
    """The transactions of `left` that `right` lacks."""
    return gtid.text(gtid.minus(left, right))


def following(uuid: str, executed: str) -> str:
    """The next transaction of a server with this history."""
    own = gtid.parse(executed).get(uuid, [(0, 0)])
    return f"{uuid}:{own[-1][1] + 1}"


def printed(text: str) -> str:
    """The set as MySQL prints it, one source per line."""
    return text.replace(",", ",\n")
