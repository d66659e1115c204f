"""The folders that experiments leave behind: runs/<UTC time>-<name>/, and runs/latest."""

from datetime import UTC, datetime
from pathlib import Path

from lab.errors import BadInput
from lab.topology import ROOT

RUNS = ROOT / "runs"
LATEST = "latest"
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
    """The run of that name, path, or 'latest'; raises BadInput naming the newest ones."""
    for path in (Path(word), folder / word):
        if (path / TIMELINE).exists():
            return path.resolve()
    known = sorted((it.name for it in folder.glob("*-*") if (it / TIMELINE).exists()), reverse=True)[:5]
    hint = f"the newest: {', '.join(known)}" if known else "make one: invoke experiment.run control"
    raise BadInput(f"there is no run {word!r}", hint=hint)
