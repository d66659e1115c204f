"""What all plots of a run share: the time axis, the length of a bin, the colours of servers."""

import math
from dataclasses import dataclass

from lab.analysis.history import History

MOST_BINS = 400
COLOURS = 4


@dataclass(frozen=True)
class View:
    """`start` is when measuring began, in Unix seconds; `first` and `last` are shown, in seconds since then."""

    start: float
    first: float
    last: float
    servers: tuple[str, ...]

    @classmethod
    def of(cls, history: History) -> "View":
        """From the first request, which may be of the warm-up, to the end."""
        first = min([history.start, *(request.intended for request in history.requests[:1])])
        servers = tuple(history.having("web"))
        return cls(history.start, first - history.start, max(history.end - history.start, 1.0), servers)

    @property
    def step(self) -> int:
        """How many seconds are one bin: one, or more in a long run."""
        return max(1, math.ceil((self.last - self.first) / MOST_BINS))

    def since(self, at: float) -> float:
        """A moment in seconds since measuring began."""
        return round(at - self.start, 2)

    def bin(self, at: float) -> int:
        """The number of the bin that a moment falls into."""
        return math.floor((at - self.start) / self.step)

    def middle(self, number: int) -> float:
        """Where a bin is drawn, in seconds since measuring began."""
        return (number + 0.5) * self.step

    def colour(self, server: str) -> str:
        """A server has the same colour everywhere; those after the fourth begin again."""
        return f"var(--server{self.servers.index(server) % COLOURS + 1})"
