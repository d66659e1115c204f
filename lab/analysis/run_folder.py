"""The folders that experiments leave behind: runs/<UTC time>-<name>/, and runs/latest."""

from datetime import UTC, datetime
from pathlib import Path

from lab.analysis import load_record, timeline
from lab.analysis.timeline import Entry
from lab.errors import BadInput, did_you_mean, like
from lab.topology import ROOT

RUNS = ROOT / "runs"
LATEST = "latest"
FORMAT = 3  # of the timeline; changes with its keys, and when an older one can't be judged any more
READABLE = (2, FORMAT)  # 2 differs by one key, which `timeline.entry` reads as today's
OLDEST = 0  # said nothing of its format
TIMELINE, EXPERIMENT, RECORD, LOGS = "timeline.jsonl", "experiment.yml", "record", "logs"


def make(name: str, folder: Path = RUNS) -> Path:
    """A new folder for a run of the experiment `name`; runs/latest leads to it."""
    run = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{name}"
    run.mkdir(parents=True)
    link = folder / LATEST
    link.unlink(missing_ok=True)
    link.symlink_to(run.name)
    return run


def find(word: str, folder: Path = RUNS) -> Path:
    """The run of that name, path, or 'latest'; raises BadInput with the one that was probably meant."""
    for path in (Path(word), folder / word):
        if (path / TIMELINE).exists():
            return path.resolve()
    known = sorted((it.name for it in folder.glob("*-*") if (it / TIMELINE).exists()), reverse=True)
    if not known:
        raise BadInput(f"there is no run {word!r}, nor any other", hint="make one: invoke experiment.run control")
    newest = {it.partition("-")[2]: it for it in reversed(known)}  # of each experiment, whose name people remember
    near = [newest[it] for it in like(Path(word).name, newest)]
    what = f"there is no run {word!r}; {did_you_mean(Path(word).name, near or known, f'ls {folder.name}')}"
    raise BadInput(what, hint="the newest: invoke experiment.report latest")


def read(folder: Path) -> list[Entry]:
    """The timeline of a run; raises BadInput where another version of the lab wrote it in another format."""
    entries = timeline.read(folder / TIMELINE)
    number = next((it.data.get("format", OLDEST) for it in entries if (it.observer, it.kind) == ("lab", "run")), FORMAT)
    if number not in READABLE:
        readable = " and ".join(map(str, READABLE))
        what = f"{folder.name} has format {number}, this version of the lab reads formats {readable}"
        raise BadInput(what, hint="judge it with the version that ran it, or run it again: invoke experiment.run NAME")
    return entries


def read_all(folder: Path) -> list[Entry]:
    """The same; of a run that was killed, and could not take in what its load had recorded, with that."""
    entries = read(folder)
    ended = any((it.observer, it.kind) == ("lab", "end") for it in entries)
    recorded = [] if ended else load_record.merge(folder / RECORD)
    # It may have been killed while it took that in.
    others = [it for it in entries if not recorded or it.observer != "client"]
    return sorted([*others, *map(timeline.entry, recorded)], key=lambda it: it.at)
