"""Apply dangerous changes to a copy of the code, one at a time: each must turn a unit test red.

A promise that no test holds is lost with the next edit. Exit codes: 0 each change was noticed, 1 one was not, 2 one
no longer applies, 3 the tests are red as they stand.
"""

import argparse
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Event

import yaml

from lab import process, progress
from lab.errors import BadInput, CheckFailed, InfrastructureBroken, LabError, TimedOut

ROOT = Path(__file__).resolve().parents[2]
CHANGES = Path(__file__).with_name("changes.yml")
WORKERS, CHANGE_S, HANGS_S, UNCHANGED_S = 2, 90.0, 20.0, 600.0
# pytest itself, without files of its own; -x: one red test is enough.
PYTEST = ("-m", "pytest", "-x", "-q", "--tb=line", "-p", "no:cacheprovider", "-m", "not slow")
RED = re.compile(r"^(?:FAILED|ERROR) (\S+::\S+)", re.MULTILINE)  # without '::' a file could not even be read


@dataclass(frozen=True)
class Change:
    """One change: what it endangers, the text that becomes another one, and the test files that must notice.

    `hangs`: the code waits without end, so a test that runs into its deadline counts as red.
    """

    what: str
    file: str
    text: str
    instead: str
    tests: Sequence[str]
    finding: str = ""
    hangs: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a change came to, in words: which test went red, or why none did."""

    change: Change
    noticed: bool
    reason: str


def load(path: Path = CHANGES) -> list[Change]:
    """All changes; raises BadInput where an entry has a key too many or too few."""
    try:
        return [Change(**entry) for entry in yaml.safe_load(path.read_text(encoding="utf-8"))]
    except TypeError as error:
        raise BadInput(f"{path} is wrong", evidence=str(error)) from error


def changed(root: Path, change: Change) -> str:
    """The file's text with the change made; raises BadInput unless what is to be replaced stands there once."""
    path = root / change.file
    source = path.read_text(encoding="utf-8") if path.exists() else ""
    if source.count(change.text) != 1:
        what = f"no longer applies: {change.what}"
        evidence = f"{change.file} has {source.count(change.text)} times: {change.text}"
        raise BadInput(what, evidence=evidence, hint=f"correct its text in {CHANGES.name}")
    return source.replace(change.text, change.instead)


def run(root: Path, changes: Sequence[Change]) -> list[Outcome]:
    """Make each change in a copy of `root` and run its tests there.

    Raises BadInput where one does not apply, before any test runs, and InfrastructureBroken where tests are red without
    a change.
    """
    for change in changes:
        changed(root, change)
    stop = Event()
    with tempfile.TemporaryDirectory(prefix="dangerous-changes-") as folder, _workers(stop) as pool:
        copies = [Path(folder, str(number)) for number in range(WORKERS)]
        for it in copies:
            copy(root, it)
        _must_be_green(pool, copies, sorted({name for change in changes for name in change.tests}), stop)
        return _all(pool, copies, changes, stop)


@contextmanager
def _workers(stop: Event) -> Iterator[ThreadPoolExecutor]:
    """Threads; who is interrupted ends what they run."""
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            yield pool
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def copy(root: Path, to: Path) -> None:
    """Copy what git tracks, as it stands now: the checkout itself is never changed."""
    listed = process.run(["git", "ls-files", "-z"], timeout=30, cwd=str(root)).output
    for name in filter(None, listed.split("\0")):
        if (root / name).exists():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, to / name)


def _must_be_green(pool: ThreadPoolExecutor, copies: Sequence[Path], tests: Sequence[str], stop: Event) -> None:
    """Each copy runs its share of the tests."""

    def red(number: int) -> str:
        share = tests[number :: len(copies)]
        ended = _pytest(copies[number], share, UNCHANGED_S, stop) if share else process.Finished(0, "")
        return ended.output[-2000:] if ended.exit_code else ""

    progress.say("unchanged", f"runs {len(tests)} test files")
    evidence = "\n".join(filter(None, pool.map(red, range(len(copies)))))
    if evidence:
        raise InfrastructureBroken("the tests are red without a change", evidence=evidence, hint="make unit")
    progress.say("unchanged", "green")


def _all(pool: ThreadPoolExecutor, copies: Sequence[Path], changes: Sequence[Change], stop: Event) -> list[Outcome]:
    free: SimpleQueue[Path] = SimpleQueue()
    for folder in copies:
        free.put(folder)

    def one(number: int, change: Change) -> Outcome:
        folder, began = free.get(), time.monotonic()
        try:
            outcome = _tried(folder, change, stop)
        finally:
            free.put(folder)
        seconds = time.monotonic() - began
        progress.say(f"{number}/{len(changes)}", f"{change.what}: {outcome.reason} ({seconds:.0f} s)")
        return outcome

    return list(pool.map(one, range(1, len(changes) + 1), changes))


def _tried(folder: Path, change: Change, stop: Event) -> Outcome:
    path, text = folder / change.file, changed(folder, change)
    saved = shutil.copy2(path, folder / "unchanged")
    path.write_text(text, encoding="utf-8")
    seconds = HANGS_S if change.hangs else CHANGE_S
    try:
        # The caches are of the unchanged files, by their times; what is changed is read anew.
        return _judged(change, _pytest(folder, change.tests, seconds, stop, PYTHONDONTWRITEBYTECODE="1"))
    except TimedOut:
        return Outcome(change, change.hangs, f"not done within {seconds:.0f} s")
    finally:
        shutil.move(saved, path)


def _judged(change: Change, ended: process.Finished) -> Outcome:
    if ended.exit_code == 0:
        return Outcome(change, False, "NOT NOTICED, all tests are green")
    red = RED.search(ended.output)
    if ended.exit_code == 1 and red:
        return Outcome(change, True, f"red: {red[1]}")
    return Outcome(change, False, f"NO TEST COULD RUN: {' '.join(ended.output.split())[-300:]}")


def _pytest(folder: Path, tests: Sequence[str], seconds: float, stop: Event, **env: str) -> process.Finished:
    """The copy's packages are imported, not those of the checkout: the path comes before an editable install."""
    argv = [sys.executable, *PYTEST, *tests]
    env |= {"PYTHONPATH": str(folder)}
    return process.run(argv, timeout=seconds, ok=range(256), env=env, cwd=str(folder), give_up=stop.is_set)


def main(words: Sequence[str]) -> int:
    """Run what the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="tests.dangerous_changes.run", description=__doc__)
    parser.add_argument("--only", metavar="WORDS", default="", help="only changes whose sentence or file has these")
    parser.add_argument("--list", action="store_true", help="name the changes, run nothing")
    chosen = parser.parse_args(words)
    try:
        changes = [it for it in load() if chosen.only in f"{it.what} {it.file} {it.finding}"]
        if chosen.list:
            sys.stdout.writelines(f"{it.file}: {it.what}\n" for it in changes)
            return 0
        if not changes:
            raise BadInput(f"no change has the words {chosen.only!r}", hint="see them: --list")
        return report(run(ROOT, changes))
    except LabError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


def report(outcomes: Sequence[Outcome]) -> int:
    """Say what was not noticed, and how many were; returns the exit code."""
    missed = [it for it in outcomes if not it.noticed]
    for it in missed:
        sys.stdout.write(f"{it.change.file}: {it.change.what}: {it.reason}\n")
    sys.stdout.write(f"{len(outcomes) - len(missed)} of {len(outcomes)} dangerous changes turn a unit test red\n")
    return CheckFailed.exit_code if missed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the copies go, and the tests in them end
    sys.exit(main(sys.argv[1:]))
