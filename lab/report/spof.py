"""The results of experiment.spof as rows, texts and marks of the picture, beside what was predicted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.analysis.spof import END_S, PARTS, SINGLE, SOME, SURVIVED, UNKNOWN, WHAT, fails, some_fail, verdict
from lab.picture import State
from lab.plan.predictions import NOTHING, right
from lab.plan.spof import DEAD_S, Component, components
from lab.report.fault_phrases import duration
from lab.report.grid import NONE
from lab.topology import Lab

NOT_YET = "not in this lab yet"
HOW_TO_READ = (
    f"A component is dead for {DEAD_S:.0f} s. reads, writes: those of visitors who know the address. "
    "names: new visitors look the site's name up first; a dead name server does not show in any request of the others, "
    "so the name server was asked itself. "
    "Each cell: failed/tried until the failure was noticed, "
    f"then until the last {END_S:.0f} s of that time, and in these. "
    "✗: at least half failed in the end, so nothing in this lab takes over: a single point of failure. "
    "!: some after it was noticed, but fewer than half in the end. "
    "noticed: until HAProxy took a server out. "
    "recovered: from the beginning of the repair until all was answered again and HAProxy used every server."
)
COLUMNS = ("component", *WHAT, "noticed after", "recovered after")
MARKS = {SINGLE: "✗", SOME: "!", SURVIVED: "✓", UNKNOWN: "?"}
CAME = {True: "✗ fail", False: "✓ ok", None: "? too few"}
FEW = "! some"  # fewer than half: a busy machine is one reason
Results = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Row:
    """A component as the tables show it; `predicted` is '' without a prediction, `right` says what of it came true."""

    name: str
    cells: tuple[str, ...]
    noticed: str
    recovered: str
    verdict: str
    failing: tuple[str, ...]
    cure: str
    predicted: str
    right: Mapping[str, bool]

    @property
    def words(self) -> tuple[str, ...]:
        """The cells under COLUMNS."""
        return (self.name, *self.cells, self.noticed, self.recovered)

    @property
    def judged(self) -> str:
        """Whether the prediction was right as a whole, and what was predicted to fail; '-' without one."""
        return f"{'right' if all(self.right.values()) else 'wrong'}: {self.predicted}" if self.predicted else NONE


def rows(lab: Lab, results: Results) -> list[Row]:
    """A row for each component of the lab that has a result."""
    return [_row(lab, it, results[it.name]) for it in components(lab) if it.name in results]


def _row(lab: Lab, component: Component, result: Mapping[str, Any]) -> Row:
    failed = {what: fails(result, what) for what in WHAT}
    predicted = result.get("predicted")
    return Row(
        name=component.name,
        cells=tuple(_cell(result, what) for what in WHAT),
        noticed=_seconds(result["noticed_s"], "by nothing"),
        recovered=_seconds(result["recovered_s"], "not seen"),
        verdict=verdict(result),
        failing=tuple(what for what in WHAT if failed[what]),
        cure=cure(lab, component, result),
        predicted="" if predicted is None else ", ".join(predicted) or NOTHING,
        right=right(predicted, failed),
    )


def _cell(result: Mapping[str, Any], what: str) -> str:
    failed = fails(result, what)
    came = FEW if failed is False and some_fail(result, what) else CAME[failed]
    return f"{came} " + ", ".join("{}/{}".format(*result[what][part]) for part in PARTS)


def _seconds(value: float | None, otherwise: str) -> str:
    return otherwise if value is None else duration(value)


def cure(lab: Lab, component: Component, result: Mapping[str, Any]) -> str:
    """What would keep the site going, and whether this lab has it."""
    otherwise = {
        UNKNOWN: "too few requests were due: measure it again",
        SURVIVED: "needs none: others do its work",
        SOME: "some fail even after it was noticed: read the report of its run",
        SINGLE: "not known: read the report of its run",
    }
    return "; ".join(_cures(lab, component, result)) or otherwise[verdict(result)]


def _cures(lab: Lab, component: Component, result: Mapping[str, Any]) -> Iterator[str]:
    if "balancer" in component.roles and (fails(result, "reads") or fails(result, "writes")):
        yield f"a second balancer and an address that moves to it (keepalived): {NOT_YET}"
    if "nameserver" in component.roles and fails(result, "names"):
        yield f"a second name server: {NOT_YET}"
    if "database" in component.roles and fails(result, "writes"):
        yield _cure_of_writes(lab, component, result["primary"])
    if "web" in component.roles and fails(result, "reads"):
        yield "another web server that HAProxy uses: invoke lb.status"


def _cure_of_writes(lab: Lab, component: Component, primary: str) -> str:
    others = [node.name for node in lab.having("database") if node.name != component.node]
    if component.node != primary:
        bounded = "invoke db.durability available lets writes go on without a replica"
        return f"{bounded}; a second replica: {NOT_YET}"
    by_hand = f"invoke db.promote {others[0]} by hand" if others else "a replica"
    return f"{by_hand}; failover by itself: {NOT_YET}"


def score(shown: Sequence[Row]) -> str:
    """How many predictions were right; '' if there was none."""
    answers = [it for row in shown for it in row.right.values()]
    return f"{sum(answers)} of {len(answers)} predicted answers were right" if answers else ""


def states(lab: Lab, results: Results) -> dict[str, State]:
    """The mark of each component in the picture; a sign and words, so that no colour has to be seen."""
    return {it.name: _state(it.name, results.get(it.name)) for it in components(lab)}


def _state(name: str, result: Mapping[str, Any] | None) -> State:
    word = verdict(result) if result else UNKNOWN
    failing = ", ".join(what for what in WHAT if result and fails(result, what))
    some = ", ".join(what for what in WHAT if result and some_fail(result, what))
    if word == UNKNOWN:
        return State("open", f"{MARKS[word]} {UNKNOWN}", f"{name}: {UNKNOWN}.")
    if word == SINGLE:
        return State("fails", f"{MARKS[word]} {failing}", f"{name} dead: {failing} fail.")
    if word == SOME:
        return State("holds", f"{MARKS[word]} some fail", f"{name} dead: some {some} fail, fewer than half in the end.")
    return State("holds", f"{MARKS[word]} {SURVIVED}", f"{name} dead: nothing fails once it is noticed.")


def primary(results: Results) -> str:
    """The database that was primary in most results; '' if there are none."""
    known = [it["primary"] for it in results.values() if it["primary"]]
    return max(known, key=known.count, default="")


def as_data(lab: Lab, results: Results) -> dict[str, Any]:
    """The results for scripts, a list of components and the score of the predictions."""
    shown = {row.name: row for row in rows(lab, results)}
    keys = (*WHAT, "noticed_s", "recovered_s", "dead_s", "durability", "primary", "run")
    found = [
        {
            "name": name,
            "verdict": row.verdict,
            "failing": list(row.failing),
            **{key: results[name][key] for key in keys},
            "predicted": results[name].get("predicted"),
            "right": dict(row.right) or None,
            "cure": row.cure,
        }
        for name, row in shown.items()
    ]
    answers = [it for row in shown.values() for it in row.right.values()]
    return {"components": found, "predictions": {"right": sum(answers), "of": len(answers)}}
