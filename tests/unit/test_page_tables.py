"""Tables of docs/ that are made from code; UPDATE_GOLDEN=1 writes them anew."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import get_args

import pytest

from commands import experiment_list, experiment_scale, experiment_spof, fault
from lab import topology
from lab.exercises.exercise_file import every
from lab.faults.kinds import KINDS, Integer, Kind, Option
from lab.operations import balancing
from lab.plan.experiment_file import Plan
from lab.report import scale_page, spof_page
from lab.report.check_meanings import explained
from lab.report.glossary import MEANINGS
from lab.report.grid import grid
from lab.state.choices import Algorithm, Mode, Persistence
from lab.topology import ROOT
from tests.support.markdown import tables, text
from tests.support.stories import shipped

DOCS = ROOT / "docs"


def checks() -> str:
    """Every check."""
    return grid(
        ["check", "what it tells", "unit", "usual limit"],
        [[f"`{it.name}`", it.text, it.unit, f"`{it.limit}`"] for it in explained()],
    )


def first() -> str:
    """The experiments to begin with."""
    return lesson(experiment_list.first(shipped(topology.load())))


def experiments() -> str:
    """All, by lesson."""
    lessons = experiment_list.by_lesson(shipped(topology.load())).items()
    return "\n".join(f"### {experiment_list.LESSONS[it]}\n\n{lesson(found)}" for it, found in lessons)


def lesson(plans: Sequence[Plan]) -> str:
    """Some experiments."""
    head = ["experiment", "minutes", "what happens", "question"]
    return grid(head, [[f"`{it.name}`", str(experiment_list.minutes(it)), it.title, it.question] for it in plans])


def exercises() -> str:
    """Every exercise."""
    found = [[it.number, f"[{it.title}](../exercises/{it.name}/README.md)", str(it.minutes)] for it in every()]
    return grid(["number", "exercise", "minutes"], found)


def faults() -> str:
    """Every kind of fault, what it needs and takes."""
    return grid(["kind", "what happens", "needs", "options"], [fault_row(kind) for kind in KINDS.values()])


def fault_row(kind: Kind) -> list[str]:
    """One kind; an option that the command line does not have is told to be for experiments only."""
    needs = [f"`{name}`" for name in ("service", "peer") if getattr(kind, name)]
    role = [f"a node with the role {kind.role}"] if kind.role else []
    options = [f"`{name}`: {limits(it)}{where(name)}" for name, it in kind.options.items()]
    needs += [f"`{name}`" for name in kind.required]
    needs += ["one of its options"] if kind.one_of else []
    return [f"`{kind.name}`", kind.description, "; ".join([*needs, *role]) or "-", "; ".join(options) or "-"]


def limits(option: Option) -> str:
    """What an option takes."""
    if isinstance(option, type):
        return "true or false"
    zero = f", at least {option.least} either way" if isinstance(option, Integer) and option.low < 0 else ""
    return f"{option[0]:.10g} to {option[1]:.10g}{zero}"


def where(name: str) -> str:
    """Whether only an experiment's file has an option."""
    arguments = {it.name for it in fault.inject.get_arguments()}
    return "" if name in arguments else " (experiments only)"


def single_points() -> str:
    """What experiment.spof measured last for docs/."""
    return spof_page.table(topology.load(ROOT / "lab.yml"), experiment_spof.published())


def rising_load() -> str:
    """What experiment.scale measured last for docs/."""
    return scale_page.table(experiment_scale.published())


def lanes() -> str:
    """The words in the lanes of a report."""
    return grid(["word", "meaning"], [[word, meaning] for word, meaning in MEANINGS.values()])


def meanings(names: Sequence[str]) -> str:
    """Choices of the balancer: what each does, and what it costs."""
    return grid(["choice", "what it does", "what it costs"], [[f"`{it}`", *balancing.MEANS[it]] for it in names])


MADE: dict[str, tuple[str, Callable[[], str]]] = {
    "checks": ("experiments.md", checks),
    "first": ("experiments.md", first),
    "experiments": ("experiments.md", experiments),
    "exercises": ("exercises.md", exercises),
    "faults": ("faults.md", faults),
    "spof": ("spof.md", single_points),
    "scale": ("scale.md", rising_load),
    "lanes": ("glossary.md", lanes),
    "algorithms": ("balancer.md", lambda: meanings(get_args(Algorithm))),
    "modes": ("balancer.md", lambda: meanings(get_args(Mode))),
    "persistence": ("balancer.md", lambda: meanings(get_args(Persistence))),
}


@pytest.mark.parametrize("name", MADE)
def test_a_table_says_what_the_code_says(name: str) -> None:
    """A change of the code shows here."""
    page, make = MADE[name]
    path = DOCS / page
    before, wanted = tables(text(path))[name], f"\n{make()}\n"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        begin = f"<!-- table: {name} -->\n"
        path.write_text(text(path).replace(begin + before, begin + wanted), encoding="utf-8")
    assert tables(text(path))[name] == wanted, "if this is meant, run with UPDATE_GOLDEN=1"


def named() -> Iterator[str]:
    """The tables of all pages."""
    for path in sorted(DOCS.rglob("*.md")):
        yield from tables(text(path))


def test_every_table_is_compared() -> None:
    """None is left that the code has forgotten."""
    assert sorted(named()) == sorted(MADE)
