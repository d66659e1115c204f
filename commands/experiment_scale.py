"""invoke experiment.scale: raise the load for one, two, three web servers, and draw what they answered."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from invoke.context import Context

from commands.command import command, say
from commands.experiment_matrix import host
from fabfile.roles import ROLES
from lab import progress, topology
from lab.analysis import matrix_results, run_folder
from lab.experiment import scale
from lab.experiment.scale import Result, Setup
from lab.picture import DOCS
from lab.plan.scale import MORE, PAGES_PER_S, Ramp, ramps
from lab.report import page as run_page
from lab.report import scale as report
from lab.report import scale_page
from lab.report.scale_plot import svg
from lab.state.atomic_file import atomic_write
from lab.topology import Lab

FOLDER = run_folder.RUNS / "scale"
RESULTS, PAGE, PICTURE = "results.jsonl", "scale.html", "scale.svg"
DOCS_RESULTS, DOCS_PAGE, DOCS_PICTURE = DOCS / "scale.jsonl", DOCS / "scale.md", DOCS / "scale.svg"
FEW = 3  # with fewer servers a third one is missing
GOES_ON = "drained servers serve again, see invoke lb.status; run again, it goes on with the next number of servers"
SCALE = {
    "servers": "the numbers of web servers, with commas between: 1,2,3; without it each number up to all",
    "pages-per-s": "the limit of PHP on each server, so that the hosting machine's processors are not the limit",
    "again": "put the results aside, and begin anew",
    "json": "the results for scripts",
    "docs": "write docs/scale.md and docs/scale.svg too",
}


@command(changes=True, interrupted=GOES_ON, help=SCALE)
def scale_(
    c: Context,
    servers: str = "",
    pages_per_s: int = PAGES_PER_S,
    again: bool = False,
    json: bool = False,
    docs: bool = False,
) -> None:
    """Raise the load for one, two, three web servers, and draw what they answer; goes on where it was stopped."""
    lab = topology.load()
    wanted, code = ramps(lab, servers, pages_per_s), scale.fingerprint(pages_per_s)
    if again:
        _put_aside()
    if len(lab.having("web")) < FEW:
        progress.say("scale", f"this lab has {len(lab.having('web'))} web servers; {MORE}")
    known = _measured(wanted, code)
    todo = [it for it in wanted if it.name not in [result["name"] for result in known]]
    progress.say("scale", f"numbers of servers: {len(wanted)}; measured: {len(known)}; to go: {len(todo)}")
    try:
        if todo:
            _measure(lab, todo)
    finally:
        results = _measured(wanted, code)
        _write(results, docs and len(results) == len(wanted))
        _answer(results, json)


def _measure(lab: Lab, todo: Sequence[Ramp]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for result in scale.play(todo, Setup(lab, ROLES, host(), FOLDER / RESULTS, run_page.write)):
        progress.say("scale", "; ".join(report.summary([result])))


def _measured(wanted: Sequence[Ramp], code: str) -> list[Result]:
    """The latest result of each ramp for this code, choices and limit, the fewest servers first."""
    own = {it["name"]: it for it in matrix_results.load(FOLDER / RESULTS) if it["fingerprint"] == code}
    return [own[it.name] for it in wanted if it.name in own]


def _put_aside() -> None:
    path = FOLDER / RESULTS
    if path.exists():
        path.rename(path.with_stem(f"{path.stem}-until-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"))


def _write(results: Sequence[Result], docs: bool) -> None:
    if not results:
        return
    atomic_write(FOLDER / PAGE, scale_page.page(results))
    atomic_write(FOLDER / PICTURE, svg(results))
    if docs:
        lines = [f"{json.dumps(it, ensure_ascii=False)}\n" for it in results]
        atomic_write(DOCS_RESULTS, "".join(lines))
        atomic_write(DOCS_PAGE, scale_page.replaced(DOCS_PAGE.read_text(encoding="utf-8"), results))
        atomic_write(DOCS_PICTURE, svg(results))


def published(path: Path = DOCS_RESULTS) -> list[Result]:
    """The results that docs/ shows."""
    return list(matrix_results.load(path))


def _answer(results: Sequence[Result], as_json: bool) -> None:
    if as_json:
        say(json.dumps(report.as_data(results), indent=2))
    elif results:
        say(f"{scale_page.terminal(results)}\n\npage: {FOLDER / PAGE}")
