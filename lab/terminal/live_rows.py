"""Rows that change in place on a terminal, one for each node; other lines are printed above them."""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from lab.terminal import capabilities

if TYPE_CHECKING:  # imported where it is used: most commands show no rows, and it takes a tenth of a second
    from rich.text import Text

SPINNER, ASCII_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"
TURNS_PER_S = 4


@dataclass(frozen=True)
class _Row:
    step: str
    since: float

    @property
    def seconds(self) -> str:
        return f"{time.monotonic() - self.since:.0f} s"


class LiveRows:
    """A live display on `stream`. Its caller holds a lock: Rich does not order what several threads draw."""

    def __init__(self, stream: TextIO, names: Iterable[str], step: str) -> None:
        from rich.console import Console
        from rich.live import Live

        self._stream, self._unicode = stream, capabilities.unicode(stream)
        self._rows = {name: _Row(step, time.monotonic()) for name in names}
        self._console = Console(
            file=stream,
            force_terminal=True,
            color_system="standard" if capabilities.colour(stream) else None,
            highlight=False,
            soft_wrap=True,
            _environ={},  # what the terminal can is decided in capabilities
        )
        redirect = sys.stdout.isatty()
        self._live = Live(
            console=self._console,
            get_renderable=self._drawn,
            auto_refresh=False,
            transient=True,
            redirect_stdout=redirect,
        )

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def start(self) -> None:
        """Show the rows. The cursor stays visible: after Ctrl-Z or kill -9 nobody would bring it back."""
        self._live.start(refresh=True)
        self._console.show_cursor(True)

    def draw(self) -> None:
        """Show all rows as they are now."""
        self._live.refresh()

    def step(self, name: str, text: str, since: float) -> None:
        """Let a row show its next step, which began at that moment of the monotonic clock."""
        self._rows[name] = _Row(" ".join(text.split()), since)
        self.draw()

    def collapse(self, name: str, line: str) -> None:
        """Remove a row and print its last line, no longer than the terminal is wide."""
        del self._rows[name]
        with self._console:  # one write: the row is not seen beside its last line
            self.print_above(self._cut(line, self._columns))
            self.draw()

    def unfinished(self) -> list[tuple[str, str]]:
        """The node of each row that is left, with its step and how long it took so far."""
        return [(name, f"{row.step}, {row.seconds}") for name, row in self._rows.items()]

    def print_above(self, line: str) -> None:
        """Print a line that stays."""
        from rich.text import Text

        self._console.print(Text(self._known(line)))

    def stop(self) -> None:
        """Remove the rows; what is printed from now on goes to the terminal as ever."""
        self._live.stop()

    @property
    def _columns(self) -> int:
        return capabilities.columns(self._stream) - 1  # a full line makes some terminals begin the next one

    def _drawn(self) -> "Text":
        from rich.text import Text

        return Text("\n").join(self._row(name, row) for name, row in self._rows.items())

    def _row(self, name: str, row: _Row) -> "Text":
        from rich.text import Text

        frames = SPINNER if self._unicode else ASCII_SPINNER
        frame, took = frames[int(time.monotonic() * TURNS_PER_S) % len(frames)], f"  {row.seconds}"
        text = self._cut(f"{name:<9} {self._known(row.step)}", self._columns - len(took) - 9)
        return Text.assemble((f"{frame:>7}", "cyan"), "  ", text, (took, "dim"))

    def _cut(self, text: str, width: int) -> str:
        from rich.cells import cell_len, set_cell_size

        mark = "…" if self._unicode else "..."
        fits = cell_len(text) <= max(width, 0)
        return text if fits else set_cell_size(text, max(0, width - len(mark))) + mark

    def _known(self, text: str) -> str:
        return text if self._unicode else text.encode("ascii", "replace").decode()
