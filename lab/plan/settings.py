"""What may stand in the file of an experiment: each setting, its type and its limits."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from lab.analysis.history import STALENESS_S
from lab.durability import Durability
from lab.plan.validation import MEASURE_S
from lab.state.choices import DEFAULTS, Algorithm, Mode, Stage


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


# Below the lowest rate the client is blind between requests; the highest is what a generator sends on time.
Rate = Annotated[float, Field(ge=0.5, le=400)]


class RateStepFile(_Strict):
    """Another rate of the load, later."""

    at: float = Field(gt=0)
    rate: Rate


class LoadFile(_Strict):
    """The load."""

    # Two emulated processors answer 30 pages a second in all. At ten requests a second the lab and its observers keep
    # them 80 % busy: then an injection alone makes visitors wait, and one server that is left refuses some.
    rate: Rate = 6.0
    write_share: float = Field(default=0.1, ge=0, le=1)
    processes: int = Field(default=1, ge=1, le=4)
    rates: list[RateStepFile] = []


class StepFile(_Strict):
    """One step: a fault, a heal, or a command."""

    at: float = Field(ge=0)
    inject: dict[str, Any] = {}
    heal: dict[str, Any] = {}
    command: str = ""
    during_command: bool = False


class ExpectationFile(_Strict):
    """One check and its bound."""

    check: str
    at_most: Any = None
    at_least: Any = None
    equals: Any = None
    reported: Any = None


class PlanFile(_Strict):
    """A whole file."""

    title: str = Field(min_length=1, max_length=80)
    question: str = Field(min_length=1, max_length=200)
    stage: Stage = DEFAULTS.stage
    durability: Durability = Field(default=DEFAULTS.durability, strict=False)
    algorithm: Algorithm | None = None
    mode: Mode | None = None
    primary: str = ""
    load: LoadFile = LoadFile()
    warm_up_s: float = Field(default=10.0, ge=0, le=120)
    measure_s: float = Field(default=MEASURE_S, ge=5, le=900)
    settle_s: float = Field(default=180.0, ge=10, le=900)
    staleness_s: float = Field(default=STALENESS_S, ge=0, le=900)
    seed: int = Field(default=1, ge=0)
    steps: list[StepFile] = []
    expect: list[ExpectationFile] = Field(min_length=1)
    without: list[str] = []
