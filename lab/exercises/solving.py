"""The solution of an exercise: steps that a student could type, each explained in a sentence, done in their order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lab.errors import CheckFailed
from lab.exercises.facts import Facts
from lab.experiment import subcommand
from lab.topology import Lab

LONGEST_S = 900.0  # an experiment takes about three minutes on emulated processors


@dataclass(frozen=True)
class Bench:
    """What the steps of a solution work with. `look` asks for the facts of this moment; both last as in a check."""

    lab: Lab
    look: Callable[[], Facts]

    def invoke(self, words: str, ok: Sequence[int] = (0,)) -> None:
        """Run a command of the lab as a student would; raises CheckFailed with its last lines on another exit code."""
        code, output = subcommand.run(words, lambda: False, timeout=LONGEST_S)
        if code not in ok:
            evidence = "\n".join(output.strip().splitlines()[-10:])
            raise CheckFailed(f"invoke {words}: exit {code}", evidence=evidence, hint="invoke lab.status")


@dataclass(frozen=True)
class Step:
    """One step. `typed`: what a student types for it; `do` does it and returns the answers found, by goal."""

    why: str
    typed: str
    do: Callable[[Bench], Mapping[str, str]]
