"""The facts that checks of exercises judge: the lab now, what the student said, and what was recorded since the start.

They are data: the same checks can judge them again later, without the lab.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import progress
from lab.analysis import load_record, run_folder, timeline
from lab.analysis.history import History
from lab.errors import LabError
from lab.nodes import lifecycle, name_server, site
from lab.nodes.ssh import Machine
from lab.operations import status
from lab.topology import Lab

PAGES, PAGE_S, NAME_S, LOG_S = 4, 3.0, 3.0, 10.0
LARGEST_MB = 30  # of a timeline; a check has 15 s
CHANGE = re.compile(r"^(\d+\.\d+) .*Server web/([\w-]+) is (UP|DOWN)(?:, reason: (.*?)(?:, check duration|$))?")
LOG = "journalctl -u haproxy -o short-unix --no-pager --since @%d | grep -E 'Server web/[^ ]+ is (UP|DOWN)'; exit 0"


@dataclass(frozen=True)
class Page:
    """An answer of the site through the balancer: its status, and who served it and which database answered."""

    status: int
    served_by: str
    database: str


@dataclass(frozen=True)
class Change:
    """HAProxy's log: at a moment (Unix seconds, clock of the balancer) a server went UP or DOWN, for a reason."""

    at: float
    server: str
    status: str
    reason: str = ""


@dataclass(frozen=True)
class Run:
    """A recorded measurement: a run of an experiment, or the record of a load alone."""

    name: str
    history: History


@dataclass(frozen=True)
class Facts:
    """All that a check may use. `runs` began after the exercise did, the newest first.

    `status` is that of `lab.status --json`; `address` is what the lab's name server says of the site, '' if nothing;
    `pages` are answers to requests in a row.
    """

    status: Mapping[str, Any]
    address: str = ""
    pages: Sequence[Page] = ()
    changes: Sequence[Change] = ()
    runs: Sequence[Run] = ()
    answers: Mapping[str, str] = field(default_factory=dict)

    def having(self, role: str) -> list[str]:
        """The nodes with a role."""
        return [str(it["name"]) for it in self.status["nodes"] if role in it["roles"]]


def gather(lab: Lab, began: float, answers: Mapping[str, str]) -> Facts:
    """Ask the lab once, everything at the same time; raises LabNotUp if there is no lab."""
    machines = lifecycle.machines(lab)
    balancer = next(it for it in machines if "balancer" in it.node.roles)
    with ThreadPoolExecutor() as pool:
        now = pool.submit(status.collect, lab, machines)
        address, pages = pool.submit(_address, lab), pool.submit(lambda: tuple(_pages(lab)))
        changes = pool.submit(_changes, balancer, began)
        state = now.result()
        runs = recorded(began, with_unfinished=not state["running"])
        return Facts(state, address.result(), pages.result(), changes.result(), runs, answers)


def _address(lab: Lab) -> str:
    with suppress(LabError):
        return name_server.resolve(lab, lab.site, NAME_S)
    return ""


def _pages(lab: Lab) -> Iterator[Page]:
    """Requests in a row, up to the first that gets no answer."""
    with suppress(LabError):
        for _ in range(PAGES):
            answer = site.fetch(lab, timeout=PAGE_S)
            yield Page(answer.status, answer.headers.get("x-served-by", ""), answer.headers.get("x-db", ""))


def _changes(balancer: Machine, began: float) -> tuple[Change, ...]:
    with suppress(LabError):
        return read_changes(balancer.script(LOG % began, timeout=LOG_S, title="reads HAProxy's log").stdout)
    return ()


def read_changes(log: str) -> tuple[Change, ...]:
    """The changes in HAProxy's log, as `journalctl -o short-unix` prints it."""
    found = filter(None, map(CHANGE.match, log.splitlines()))
    return tuple(Change(float(it[1]), it[2], it[3], it[4] or "") for it in found)


def recorded(began: float, folder: Path = run_folder.RUNS, with_unfinished: bool = True) -> tuple[Run, ...]:
    """What was recorded since a moment, the newest first: runs of experiments, and records of loads without one."""
    timelines = {it.parent for it in folder.rglob(run_folder.TIMELINE) if it.stat().st_mtime >= began}
    loads = {it.parent for it in folder.rglob(load_record.FILES) if it.stat().st_mtime >= began}
    alone = {it for it in loads if not timelines & {it, *it.parents}}
    runs = [run for path in sorted({*timelines, *alone}) for run in _run(path, path in alone)]
    chosen = [it for it in runs if _begin(it) >= began and (with_unfinished or _has_ended(it))]
    return tuple(sorted(chosen, key=_begin, reverse=True))


def _run(path: Path, is_load: bool) -> Iterator[Run]:
    """The run of a folder; one that can't be judged is left out, and named."""
    large = run_folder.TIMELINE if not is_load else load_record.FILES
    if sum(it.stat().st_size for it in path.glob(large)) > LARGEST_MB * 2**20:
        progress.say("exercise", f"{path.name} is left out: it has more than {LARGEST_MB} MB")
        return
    try:
        entries = [*map(timeline.entry, load_record.merge(path))] if is_load else run_folder.read_all(path)
    except (LabError, ValueError, KeyError) as error:
        progress.say("exercise", f"{path.name} is left out: {str(error).splitlines()[0]}")
        return
    if entries:
        yield Run(path.name, History(entries))


def _begin(run: Run) -> float:
    return run.history.entries[0].at


def _has_ended(run: Run) -> bool:
    return not run.history.run or bool(run.history.seen("lab", "end"))
