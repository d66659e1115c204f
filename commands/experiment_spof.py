"""invoke experiment.spof: kill each component in turn, and show what failed beside what was predicted."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from invoke.context import Context
from invoke.exceptions import Exit

from commands.command import command, say
from commands.experiment_matrix import host
from fabfile.roles import ROLES
from lab import progress, topology
from lab.analysis import matrix_results, run_folder
from lab.analysis.spof import UNKNOWN, WHAT
from lab.experiment import spof
from lab.experiment.spof import Result, Setup
from lab.picture import DOCS
from lab.plan import predictions
from lab.plan.predictions import EVERYTHING, NOTHING, Predictions
from lab.plan.spof import Component, chosen, components, unmeasured
from lab.report import page as run_page
from lab.report import spof as report
from lab.report import spof_page
from lab.state.atomic_file import atomic_write
from lab.topology import Lab

FOLDER = run_folder.RUNS / "spof"
RESULTS, PREDICTIONS, PAGE, PICTURE = "results.jsonl", "predictions.json", "spof.html", "spof.svg"
DOCS_RESULTS, DOCS_PAGE, DOCS_PICTURE = DOCS / "spof.jsonl", DOCS / "spof.md", DOCS / "spof.svg"
SKIP = "?"
INCONCLUSIVE = 4
GOES_ON = "what it broke is healed, see invoke lab.status; run again, it goes on with the next component"
QUESTION = f"""Your prediction: what fails while it is dead?
  {", ".join(WHAT)}; {EVERYTHING} or {NOTHING}; several with commas; {SKIP} is no prediction
  names: new visitors, who look the name of the site up first
"""
SPOF = {
    "only": "a machine or a service, or several with commas between: web1, nginx, web1-nginx",
    "predict": 'what fails while each is dead: "web1=writes lb1=reads,writes,names web2=none"',
    "again": "put the results and predictions of these components aside, and begin anew",
    "json": "the results for scripts",
    "docs": "write docs/spof.md and docs/spof.svg too, when every component is measured",
}


@command(changes=True, interrupted=GOES_ON, help=SPOF)
def spof_(
    c: Context, only: str = "", predict: str = "", again: bool = False, json: bool = False, docs: bool = False
) -> None:
    """Kill each machine and each service in turn, and measure what fails; goes on where it was stopped."""
    lab = topology.load()
    wanted, code = chosen(lab, only), spof.fingerprint()
    if again:
        _put_aside([it.name for it in wanted], code)
    done = [name for name, it in spof.measured(FOLDER / RESULTS, code).items() if it["verdict"] != UNKNOWN]
    todo = unmeasured(wanted, done)
    known = [it.name for it in components(lab)]
    predicted = _predicted(predictions.parse(predict, known, {*done, *_begun(code)}), todo, code)
    progress.say("spof", f"components: {len(wanted)}; measured: {len(wanted) - len(todo)}; to go: {len(todo)}")
    try:
        if todo:
            _measure(lab, todo, predicted, code)
    finally:
        results = spof.measured(FOLDER / RESULTS, code)
        _write(lab, results, docs)
        _answer(lab, results, json)
    if any(results[it.name]["verdict"] == UNKNOWN for it in wanted):
        raise Exit(code=INCONCLUSIVE)


def _measure(lab: Lab, todo: Sequence[Component], predicted: Predictions, code: str) -> None:
    setup = Setup(lab, ROLES, host(), FOLDER / RESULTS, predicted, run_page.write, partial(_begin, predicted, code))
    for result in spof.play(todo, setup):
        progress.say("spof", f"{result['name']}: {result['verdict']}")
        _write(lab, spof.measured(FOLDER / RESULTS, result["fingerprint"]), docs=False)


def _put_aside(names: Sequence[str], code: str) -> None:
    """Copy results and predictions to files of this moment, and forget those of the components `names`."""
    results, stored = matrix_results.load(FOLDER / RESULTS), _stored(code)
    left = [it for it in results if it["name"] not in names]
    kept = {name: it for name, it in stored.items() if name not in names}
    begun = [name for name in _begun(code) if name not in names]
    now = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    for path, text in ((FOLDER / RESULTS, _lines(left)), (FOLDER / PREDICTIONS, _object(kept, begun, code))):
        if path.exists():
            path.rename(path.with_stem(f"{path.stem}-until-{now}"))
            atomic_write(path, text)


def _predicted(given: Predictions, todo: Sequence[Component], code: str) -> Predictions:
    """The predictions of the option, those that are stored, and on a terminal the answers to a question each."""
    begun = _begun(code)
    known = _stored(code) | given
    missing = [it for it in todo if it.name not in (*known, *begun)]
    if missing and sys.stdin and sys.stdin.isatty():
        known |= _asked(missing)
    elif missing:
        progress.say("spof", f"no prediction for {', '.join(it.name for it in missing)}")
    if known:
        _store(known, begun, code)
    return known


def _begin(predicted: Predictions, code: str, name: str) -> Callable[[], None]:
    """Store that a component is killed now: what was seen can't be predicted, even if it leaves no result.

    Returns what takes it back.
    """
    before = _begun(code)
    _store(predicted, [*before, *({name} - {*before})], code)
    return partial(_store, predicted, before, code)


def _store(predicted: Predictions, begun: Sequence[str], code: str) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    atomic_write(FOLDER / PREDICTIONS, _object(predicted, begun, code))


def _lines(results: Iterable[Result]) -> str:
    return "".join(f"{json.dumps(it, ensure_ascii=False)}\n" for it in results)


def _object(predicted: Predictions, begun: Sequence[str], code: str) -> str:
    every = {**_file().get("begun", {}), code: list(begun)}
    return json.dumps({"fingerprint": code, "predicted": predicted, "begun": every}, indent=2) + "\n"


def _stored(code: str) -> Predictions:
    """The predictions for this code and these choices: with another setting something else may fail."""
    stored = _file()
    return dict(stored["predicted"]) if stored.get("fingerprint") == code else {}


def _begun(code: str) -> list[str]:
    """The components that were killed with this code and these choices, whether or not there is a result."""
    return list(_file().get("begun", {}).get(code, []))


def _file() -> dict[str, Any]:
    path = FOLDER / PREDICTIONS
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _asked(missing: Sequence[Component]) -> Predictions:
    sys.stderr.write(QUESTION)
    answers = {it.name: _ask(it.name) for it in missing}
    return {name: predictions.failing_of(it) for name, it in answers.items() if it != SKIP}


def _ask(name: str) -> str:
    """Ask until the answer can be read; the end of the input is no prediction."""
    while True:
        sys.stderr.write(f"  {name:<14} ")
        sys.stderr.flush()
        answer = (sys.stdin.readline() or SKIP).strip()
        mistakes = [] if answer == SKIP else predictions.wrong(answer)
        if not mistakes:
            return answer
        sys.stderr.write(f"  {'; '.join(mistakes)}\n")


def _write(lab: Lab, results: Mapping[str, Result], docs: bool) -> None:
    if not results:
        return
    atomic_write(FOLDER / PAGE, spof_page.page(lab, results))
    atomic_write(FOLDER / PICTURE, spof_page.picture(lab, results))
    missing = [it.name for it in unmeasured(components(lab), list(results))]
    if docs and missing:
        progress.say("spof", f"docs/ is left as it is, not measured yet: {', '.join(missing)}")
    elif docs:
        _write_docs(lab, results)


def _write_docs(lab: Lab, results: Mapping[str, Result]) -> None:
    atomic_write(DOCS_RESULTS, _lines(results.values()))
    atomic_write(DOCS_PAGE, spof_page.replaced(DOCS_PAGE.read_text(encoding="utf-8"), lab, results))
    atomic_write(DOCS_PICTURE, spof_page.picture(lab, results))


def published(path: Path = DOCS_RESULTS) -> dict[str, Result]:
    """The results that docs/ shows, by component."""
    return {it["name"]: it for it in matrix_results.load(path)}


def _answer(lab: Lab, results: Mapping[str, Result], as_json: bool) -> None:
    if as_json:
        say(json.dumps(report.as_data(lab, results), indent=2))
    elif results:
        say(f"{spof_page.terminal(lab, results)}\n\npage: {FOLDER / PAGE}")
