"""The choices that commands made (provider, box, ...): .lab/choices.yml, which overrides lab.yml; and the defaults."""

from collections.abc import Collection, Iterator, Mapping
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
ASIDE = CHOICES.with_name("choices-before-experiment.yml")  # exists while an experiment's choices are in force
Stage = Literal["distributed"]
Algorithm = Literal["roundrobin", "leastconn", "source", "random", "first"]
Mode = Literal["active-active", "active-passive"]
Persistence = Literal["none", "cookie"]
ProviderName = Literal["libvirt", "virtualbox"]
FULL_WEIGHT, MOST_WEIGHT = 100, 256  # the most that HAProxy takes
Weight = Annotated[int, Field(ge=0, le=MOST_WEIGHT)]


class Choices(BaseModel):
    """Everything that can be chosen, with the only list of the defaults. '' means: chosen by this machine.

    `draws`: how many servers the algorithm random compares. `drained`: servers that get no new requests. `without`: the
    protections that an experiment removes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    provider: Literal["", ProviderName] = ""
    box: str = ""
    stage: Stage = "distributed"
    algorithm: Algorithm = "roundrobin"
    mode: Mode = "active-active"
    durability: Durability = Durability.DURABLE
    draws: Annotated[int, Field(ge=1, le=100)] = 2
    persistence: Persistence = "none"
    weights: Mapping[str, Weight] = {}
    drained: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def weight(self, name: str) -> int:
        """The share of the load that a server gets, relative to the others; 0 for a drained one."""
        return 0 if name in self.drained else self.weights.get(name, FULL_WEIGHT)

    def differing(self) -> dict[str, Any]:
        """The values that differ from the defaults, by name, as YAML data."""
        return dict(sorted(self.model_dump(mode="json", exclude_defaults=True).items()))


DEFAULTS = Choices()


def load(path: Path = CHOICES) -> Choices:
    """All choices so far; raise BadInput, which names the file, if it was damaged by hand."""
    document = Document.read(str(path), yaml_file.text(path) if path.exists() else "")
    try:
        return Choices.model_validate({} if document.data is None else document.data)
    except ValidationError as error:
        refusal = document.refusal(mistakes.invalid(error, "the choices", Choices))
        refusal.hint = f"correct {path} or remove it: without it the defaults apply; nothing was changed"
        raise refusal from error


def save(**changes: Any) -> None:
    """Store these choices beside all earlier ones; raise BadInput if one of them can't be chosen.

    If nothing changes, nothing is written: an experiment must converge on a full disk, too.
    """
    now = load()
    try:
        chosen = Choices.model_validate({**now.differing(), **changes})
    except ValidationError as error:
        listed = mistakes.invalid(error, "the choices", Choices)
        found = [": ".join(filter(None, (".".join(place), text))) for place, text in listed]
        raise BadInput.listing("this can't be chosen", found) from error
    refused = list(unsupported(chosen))
    if refused:
        raise BadInput.listing("this can't be chosen", refused)
    if chosen != now:
        _write(chosen, CHOICES)


def unsupported(chosen: Choices) -> Iterator[str]:
    """What HAProxy takes and does not do: https://docs.haproxy.org/3.0/configuration.html#balance."""
    if chosen.algorithm == "first" and any(it != FULL_WEIGHT for it in chosen.weights.values()):
        yield "the algorithm first ignores weights: a server is used until it has no free slot"
    if chosen.algorithm == "first" and "admission" in chosen.without:
        yield "the algorithm first has no sense without maxconn: all requests go to the first server"


def forget(keep: Collection[str]) -> None:
    """Forget all choices except those named in `keep`."""
    _write(Choices(**{name: value for name, value in load().differing().items() if name in keep}), CHOICES)


def set_aside() -> None:
    """Store the user's choices for `bring_back`; removed protections are not the user's choice."""
    _write(load().model_copy(update={"without": ()}), ASIDE)


def put_back() -> bool:
    """Restore the choices that were set aside, if any; return whether others were in force meanwhile.

    Removed protections stay on record until a converge has restored them. The file stays until `all_is_back`.
    """
    if not ASIDE.exists():
        return False
    own, now = load(ASIDE), load()
    _write(own.model_copy(update={"without": now.without}), CHOICES)
    return now != own


def all_is_back() -> None:
    """Note that the user's choices are in force: nothing is set aside any more."""
    ASIDE.unlink(missing_ok=True)


def bring_back() -> bool:
    """Restore the choices that were set aside, where no converge has to follow at once; return as `put_back`."""
    changed = put_back()
    all_is_back()
    return changed


def of_the_user() -> None:
    """Restore the user's choices after an experiment was killed, and say so; only for a holder of the lock."""
    if ASIDE.exists():  # perhaps they are restored already, and only the converge was interrupted
        bring_back()
        chosen = ", ".join(f"{name} {value}" for name, value in load().differing().items()) or "none"
        progress.say("lab", f"an experiment was killed: the next converge restores your choices ({chosen})")


def _write(chosen: Choices, path: Path) -> None:
    """Replace the file, which holds only what differs from the defaults."""
    atomic_write(path, yaml.safe_dump(chosen.differing()))
