"""The load of an experiment: Locust, started as a separate process because it patches its own process."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab import clock
from lab.analysis.load_record import FILES
from lab.errors import InfrastructureBroken
from lab.plan.experiment_file import Load, RateStep
from lab.topology import ROOT
from lab.wait import until, working

LOCUST = Path(sys.executable).with_name("locust")
FILE = "loadtests/open_loop.py"
STARTER = "WEBLAB_LOAD_STARTER"  # in its environment, this PID: the load ends itself when this process is gone
STARTS_S, ENDS_S = 60.0, 40.0  # requests under way at the end are waited for up to 17 s
KILLED_S = 5.0
LOG_LINES = 10


@dataclass(frozen=True)
class Running:
    """The load while it runs; `record` is the folder of its request records."""

    process: "subprocess.Popen[bytes]"
    record: Path
    log: Path

    def began(self) -> float:
        """Wait for the first request; returns its intended start, in Unix seconds.

        Raises InfrastructureBroken if there is none.
        """
        until(
            "the load begins",
            lambda: self._ended or self._first(),
            STARTS_S,
            every=0.1,
            where="load",
            evidence=self.last_lines,
            hint=self._hint,
        )
        self.must_go_on()
        return self._first()

    def must_go_on(self) -> None:
        """Raise InfrastructureBroken with the last lines of the log if the load ended early."""
        if self._ended:
            raise self._broken("the load ended early")

    def end(self) -> None:
        """Stop the load when every request has ended and is recorded; raises InfrastructureBroken if it failed."""
        self.must_go_on()
        if not _stop(self.process):
            raise self._broken(f"the load did not end within {ENDS_S:g} s and was killed")
        if self.process.returncode:
            raise self._broken("the load ended with an error")

    def cpu(self) -> float | None:
        """The fraction of a core that its busiest process used; None if no process reported it."""
        reports = [_read(path) for path in self.record.glob("generator-*.json")]
        return max((round(it["cpu_s"] / it["wall_s"], 3) for it in reports if it["wall_s"]), default=None)

    def cpu_peak(self) -> float | None:
        """The same for the ten seconds with the highest use; None if the load was shorter."""
        reports = [_read(path).get("cpu_peak") for path in self.record.glob("generator-*.json")]
        return max((round(it, 3) for it in reports if it is not None), default=None)

    def last_lines(self) -> str:
        """The last lines of its log, as evidence."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-LOG_LINES:]) or "its log is empty"

    @property
    def _ended(self) -> bool:
        return self.process.poll() is not None

    @property
    def _hint(self) -> str:
        return f"read its log, {self.log}, and see what is down: invoke lab.status"

    def _broken(self, what: str) -> InfrastructureBroken:
        code = self.process.returncode
        how = "still running" if code is None else f"exit {code}" if code >= 0 else f"signal {-code}"
        return InfrastructureBroken(f"{what} ({how})", evidence=self.last_lines(), hint=self._hint)

    def _first(self) -> float:
        for path in self.record.glob(FILES):
            line = path.read_text(encoding="utf-8").partition("\n")
            if line[1]:
                return float(json.loads(line[0])["intended"])
        return 0.0


def probes(load: Load) -> int:
    """How many connections the load makes before it begins, to see whether the site accepts them.

    HAProxy counts each as a request. Every process makes one; with several processes, their leader makes one too.
    """
    return load.processes + (load.processes > 1)


@contextmanager
def running(load: Load, seed: int, longest_s: float, folder: Path, warm_up_s: float = 0.0) -> Iterator[Running]:
    """Start the load and stop it when the block ends, in any way; it ends by itself after `longest_s`.

    The times of later rates count from the end of the warm-up.
    """
    log = folder.parent / "locust.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(LOCUST), *_words(_after(load, warm_up_s), seed, longest_s, folder)],
            cwd=ROOT,
            env={**os.environ, STARTER: str(os.getpid()), clock.ZERO: clock.zero()},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Running(process, folder, log)
    finally:
        _stop(process)


def _after(load: Load, warm_up_s: float) -> Load:
    return replace(load, rates=tuple(RateStep(it.at + warm_up_s, it.rate) for it in load.rates))


def _words(load: Load, seed: int, seconds: float, folder: Path) -> list[str]:
    words: list[Any] = ["-f", FILE, "--headless", "-t", f"{seconds:.0f}s", "--rate", load.rate]
    words += ["--write-share", load.write_share, "--seed", seed, "--record", folder]
    words += ["--only-summary", "--json-file", folder.with_name("locust")]  # no tables at the end of its log
    words += ["--rates", ",".join(f"{it.at:g}:{it.rate:g}" for it in load.rates)] if load.rates else []
    words += ["--processes", load.processes] if load.processes > 1 else []
    return [str(word) for word in words]


def _stop(process: "subprocess.Popen[bytes]") -> bool:
    """Ask the load to end, so that requests under way are recorded; False if it had to be killed."""
    for signum, grace_s in ((signal.SIGTERM, ENDS_S), (signal.SIGKILL, KILLED_S)):
        if process.poll() is None:
            os.killpg(process.pid, signum)
        with suppress(subprocess.TimeoutExpired), working("load", "waits for the requests under way"):
            process.wait(grace_s)
            return signum == signal.SIGTERM
    return False


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))
