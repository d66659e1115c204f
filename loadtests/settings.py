"""What the open loop is told on its command line, checked whole."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab.errors import BadInput
from loadtests.record import FILES, taken
from loadtests.visit import LONGEST_S

SPARE = 1.2


class Settings(BaseModel):
    """The load: requests per second over all processes, and the folder of the record."""

    model_config = ConfigDict(frozen=True)

    rate: float = Field(gt=0, le=400, allow_inf_nan=False)
    write_share: float = Field(ge=0, le=1)
    seed: int
    record: str = Field(min_length=1)
    at_once: int = Field(ge=0)

    @property
    def bound(self) -> int:
        """The most requests under way in a process: by default more than there are when nothing answers."""
        return self.at_once or max(400, math.ceil(self.rate * LONGEST_S * SPARE))


def check(words: Mapping[str, Any], others: Iterable[str]) -> None:
    """Raise BadInput that names every mistake in `words`, and `others`; the folder must be free."""
    mistakes = [*_mistakes(words), *others]
    folder = Path(words["record"])
    if words["record"] and any(folder.glob(FILES)):
        mistakes.append(f"--record: {taken(folder).what}")
    if mistakes:
        raise BadInput.listing("the load was told wrong", mistakes, hint="correct them; nothing was sent")


def _mistakes(words: Mapping[str, Any]) -> list[str]:
    try:
        Settings.model_validate(words)
    except ValidationError as error:
        return [f"--{str(e['loc'][0]).replace('_', '-')}: {e['msg']} (it is {e['input']!r})" for e in error.errors()]
    return []
