"""What commands chose (provider, box, ...): .lab/choices.yml, which beats lab.yml; and what holds without a choice."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab import mistakes, progress, yaml_file
from lab.durability import Durability
from lab.errors import BadInput
from lab.state.atomic_file import atomic_write
from lab.topology import ROOT
from lab.yaml_file import Document

CHOICES = ROOT / ".lab" / "choices.yml"
ASIDE = CHOICES.with_name("choices-before-experiment.yml")  # there while an experiment chooses for itself
Stage = Literal["distributed"]
Algorithm = Literal["roundrobin", "leastconn", "source"]
Mode = Literal["active-active", "active-passive"]
Weight = Annotated[int, Field(ge=0, le=256)]  # what HAProxy takes


class Choices(BaseModel):
    """Everything that can be chosen; the defaults stand here and nowhere else. '' leaves it to this machine.

    `without`: the protections that an experiment takes away.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    provider: Literal["", "libvirt", "virtualbox"] = ""
    box: str = ""
    stage: Stage = "distributed"
    algorithm: Algorithm = "roundrobin"
    mode: Mode = "active-active"
    durability: Durability = Durability.DURABLE
    persistence: Literal["none", "cookie"] = "none"
    weights: Mapping[str, Weight] = {}
    without: tuple[str, ...] = ()

    def weight(self, name: str) -> int:
        """How much of the load a server gets, relative to the others."""
        return self.weights.get(name, 100)

    def differing(self) -> dict[str, Any]:
        """The values that are not the defaults, by name, as YAML has them."""
        return dict(sorted(self.model_dump(mode="json", exclude_defaults=True).items()))


DEFAULTS = Choices()


def load(path: Path = CHOICES) -> Choices:
    """All choices so far; raises BadInput that names the file where it was damaged by hand."""
    document = Document.read(str(path), yaml_file.text(path) if path.exists() else "")
    try:
        return Choices.model_validate({} if document.data is None else document.data)
    except ValidationError as error:
        refusal = document.refusal(mistakes.invalid(error, "the choices", Choices))
        refusal.hint = f"correct {path} or remove it: without it the defaults hold; nothing was changed"
        raise refusal from error


def save(**changes: Any) -> None:
    """Keep these choices and all earlier ones; raises BadInput where one of them can't be chosen.

    Where nothing changes, nothing is written: an experiment converges on a full disk, too.
    """
    now = load()
    try:
        chosen = Choices.model_validate({**now.differing(), **changes})
    except ValidationError as error:
        found = [f"{'.'.join(place)}: {text}" for place, text in mistakes.invalid(error, "the choices", Choices)]
        raise BadInput.listing("this can't be chosen", found) from error
    if chosen != now:
        _write(chosen, CHOICES)


def forget(keep: Collection[str]) -> None:
    """Forget all choices but those named in `keep`."""
    _write(Choices(**{name: value for name, value in load().differing().items() if name in keep}), CHOICES)


def set_aside() -> None:
    """Write down what the user chose, for `bring_back`; what an experiment left away was nobody's choice."""
    _write(load().model_copy(update={"without": ()}), ASIDE)


def bring_back() -> bool:
    """Choose again what was set aside, if anything was; whether anything else was chosen meanwhile.

    What is left away stays on record until a converge has put it back.
    """
    if not ASIDE.exists():
        return False
    own, now = load(ASIDE), load()
    _write(own.model_copy(update={"without": now.without}), CHOICES)
    ASIDE.unlink()
    return now != own


def of_the_user() -> None:
    """Bring back, and say, what an experiment that was killed could not; for a command that has the lock alone."""
    if bring_back():
        chosen = ", ".join(f"{name} {value}" for name, value in load().differing().items()) or "none"
        progress.say("lab", f"an experiment was killed: the next converge does what you chose before it ({chosen})")


def _write(chosen: Choices, path: Path) -> None:
    """The file is replaced as a whole, and holds what differs from the defaults."""
    atomic_write(path, yaml.safe_dump(chosen.differing()))
