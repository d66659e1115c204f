"""The folders of the runs of experiments: runs/<UTC time>-<name>/, and runs/latest, the newest with a report."""

from datetime import UTC, datetime
from pathlib import Path

from lab.analysis import load_record, timeline
from lab.analysis.timeline import Entry
from lab.errors import BadInput, did_you_mean, like
from lab.topology import ROOT

RUNS = ROOT / "runs"
LATEST = "latest"
FORMAT = 3  # of the timeline; changes with its keys, and when an older one can no longer be judged
READABLE = (2, FORMAT)  # 2 differs in one key, which `timeline.entry` converts
OLDEST = 0  # had no format number
TIMELINE, EXPERIMENT, RECORD, LOGS = "timeline.jsonl", "experiment.yml", "record", "logs"
SUMMARY, REPORT = "summary.json", "report.html"


def make(name: str, folder: Path = RUNS) -> Path:
    """Create a folder for a run of the experiment `name`."""
    run = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{name}"
    run.mkdir(parents=True)
    return run


def link_latest(run: Path, folder: Path = RUNS) -> None:
    """Make runs/latest a link to the newest run with a report; `run` just got one, and elsewhere it has no link."""
    if run.resolve().parent != folder.resolve():
        return
    link = folder / LATEST
    link.unlink(missing_ok=True)
    link.symlink_to(max(report.parent.name for report in folder.glob(f"*-*/{REPORT}")))


def find(word: str, folder: Path = RUNS) -> Path:
    """Find a run by its name, its path or 'latest'; raise BadInput naming the run that was probably meant."""
    for path in (Path(word), folder / word):
        if (path / TIMELINE).exists():
            return path.resolve()
    known = sorted((it.name for it in folder.glob("*-*") if (it / TIMELINE).exists()), reverse=True)
    if not known:
        raise BadInput(f"there is no run {word!r}, nor any other", hint="make one: invoke experiment.run control")
    newest = {it.partition("-")[2]: it for it in reversed(known)}  # of each experiment, whose name people remember
    near = [newest[it] for it in like(Path(word).name, newest)]
    what = f"there is no run {word!r}; {did_you_mean(Path(word).name, near or known, f'ls {folder.name}')}"
    raise BadInput(what, hint=f"the newest: invoke experiment.report {known[0]}")


def read(folder: Path) -> list[Entry]:
    """The timeline of a run; raise BadInput if another version of the lab wrote it in another format."""
    entries = timeline.read(folder / TIMELINE)
    number = next((it.data.get("format", OLDEST) for it in entries if (it.observer, it.kind) == ("lab", "run")), FORMAT)
    if number not in READABLE:
        readable = " and ".join(map(str, READABLE))
        what = f"{folder.name} has format {number}, this version of the lab reads formats {readable}"
        raise BadInput(what, hint="judge it with the version that ran it, or run it again: invoke experiment.run NAME")
    return entries


def read_all(folder: Path) -> list[Entry]:
    """The timeline of a run; for a killed run, which could not add the records of its load, with those records."""
    entries = read(folder)
    ended = any((it.observer, it.kind) == ("lab", "end") for it in entries)
    recorded = [] if ended else load_record.merge(folder / RECORD)
    # It may have been killed while it added them.
    others = [it for it in entries if not recorded or it.observer != "client"]
    return sorted([*others, *map(timeline.entry, recorded)], key=lambda it: it.at)
