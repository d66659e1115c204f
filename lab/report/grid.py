"""Tables in Markdown."""

from collections.abc import Sequence

NOT_RUN, NONE = "not run yet", "-"


def grid(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with a line a row; no cell breaks it."""
    lines = [columns, ["---"] * len(columns), *rows] if rows else []
    return "\n".join(map(_line, lines)) + "\n" if lines else f"{NOT_RUN}\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
