"""A comparison as it was measured so far: its rounds, their requests, and the differences between the settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lab.analysis import compared_rounds, comparison_folder
from lab.analysis.compared_rounds import SIDES, Measure, Round
from lab.analysis.comparison import Difference, differences
from lab.analysis.history import Request


@dataclass(frozen=True)
class Compared:
    """What was compared, the complete pairs of rounds, and the requests of each round."""

    about: Mapping[str, Any]
    pairs: Sequence[tuple[Round, Round]]
    requests: Mapping[Round, Sequence[Request]]

    @classmethod
    def read(cls, folder: Path) -> "Compared":
        """Read the folder of a comparison; raises BadInput if a file in it is damaged."""
        about = comparison_folder.about(folder)
        measured = {(it.pair, it.side): it for it in comparison_folder.rounds(folder)}
        numbers = sorted({pair for pair, _ in measured})
        pairs = [(a, b) for it in numbers if (a := measured.get((it, "a"))) and (b := measured.get((it, "b")))]
        stale_s = about["staleness_s"]
        requests = {it: compared_rounds.requests(folder, it, stale_s) for pair in pairs for it in pair}
        return cls(about, pairs, requests)

    @property
    def is_complete(self) -> bool:
        """Whether all pairs were measured: before that nothing is decided, as looking often finds something."""
        return len(self.pairs) >= int(self.about["pairs"])

    @property
    def measures(self) -> list[Measure]:
        """What is compared."""
        return compared_rounds.measures(self.about["servers"], [self.about[side]["load"] for side in SIDES])

    @cached_property
    def differences(self) -> list[Difference]:
        """Each measure of both settings."""
        wanted = self.measures
        values = {it: compared_rounds.values(it, made, wanted) for it, made in self.requests.items()}
        return differences([(values[a], values[b]) for a, b in self.pairs], wanted)

    def of(self, side: int) -> list[tuple[Round, Request]]:
        """All requests of a setting, 0 for a and 1 for b, each with its round."""
        return [(pair[side], it) for pair in self.pairs for it in self.requests[pair[side]]]
