"""The command-line options of the open loop; all mistakes are reported together."""

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from lab.analysis.load_record import FILES
from lab.errors import BadInput
from loadtests.arrivals import Rate
from loadtests.record import taken
from loadtests.request import LONGEST_S

SPARE = 1.2
HIGHEST = 400  # requests a second: more would use up the ports of this machine


class Settings(BaseModel):
    """The load: requests per second over all processes, and the folder of the record."""

    model_config = ConfigDict(frozen=True)

    rate: float = Field(gt=0, le=HIGHEST, allow_inf_nan=False)
    rates: tuple[Rate, ...] = ()
    write_share: float = Field(ge=0, le=1)
    seed: int
    record: str = Field(min_length=1)
    at_once: int = Field(ge=0)

    @field_validator("rates", mode="before")
    @classmethod
    def _read(cls, text: str) -> tuple[Rate, ...]:
        """The text 20:30,40:60 means 30 requests a second after 20 s, and 60 after 40 s."""
        try:
            rates = tuple(Rate(*map(float, part.split(":"))) for part in text.split(",") if part)
        except (TypeError, ValueError) as error:
            raise ValueError("it must look like 20:30,40:60: seconds, then requests a second") from error
        if not all(0 < it.rate <= HIGHEST and 0 < it.after_s < math.inf for it in rates):
            raise ValueError(f"a rate must be after 0 s, above 0 and at most {HIGHEST}")
        if any(later.after_s <= it.after_s for it, later in pairwise(rates)):
            raise ValueError("the rates must be in the order of their times")
        return rates

    @property
    def schedule(self) -> tuple[Rate, ...]:
        """The first rate, from 0 seconds on, and all later ones."""
        return (Rate(0, self.rate), *self.rates)

    @property
    def bound(self) -> int:
        """The maximum of requests under way in a process; the default is not reached even if the site never answers."""
        return self.at_once or max(400, math.ceil(max(it.rate for it in self.schedule) * LONGEST_S * SPARE))


def check(words: Mapping[str, Any], others: Iterable[str]) -> None:
    """Raise BadInput that names every mistake in the options `words`, and `others`; the folder must hold no record."""
    mistakes = [*_mistakes(words), *others]
    folder = Path(words["record"])
    if words["record"] and any(folder.glob(FILES)):
        mistakes.append(f"--record: {taken(folder).what}")
    if mistakes:
        raise BadInput.listing("wrong options for the load", mistakes, hint="correct them; nothing was sent")


def _mistakes(words: Mapping[str, Any]) -> list[str]:
    try:
        Settings.model_validate(words)
    except ValidationError as error:
        return [f"--{str(e['loc'][0]).replace('_', '-')}: {e['msg']} (it is {e['input']!r})" for e in error.errors()]
    return []
