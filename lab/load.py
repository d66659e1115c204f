"""The load of an experiment: Locust, started as a command, for it patches the process that it is in."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import RigBroken
from lab.plan import Load
from lab.topology import ROOT
from lab.wait import until

LOCUST = Path(sys.executable).with_name("locust")
FILE = "loadtests/open_loop.py"
STARTER = "WEBLAB_LOAD_STARTER"  # in its environment: when this process is gone, kill -9 too, the load ends itself
STARTS_S, ENDS_S = 60.0, 40.0  # requests under way at the end are waited for up to 17 s
LOG_LINES = 10
PROBES = 1  # before it begins, the load looks whether anybody takes connections: HAProxy counts that as a request


@dataclass(frozen=True)
class Running:
    """The load while it runs; `record` is the folder where it writes down every request."""

    process: "subprocess.Popen[bytes]"
    record: Path
    log: Path

    def began(self) -> float:
        """Wait for the first request; when it was meant to start, in Unix seconds."""
        return until("the load begins", self._first, STARTS_S, every=0.1, where="load", evidence=self.last_lines)

    def must_go_on(self) -> None:
        """Raise RigBroken with its last lines where the load ended early."""
        if self.process.poll() is not None:
            raise RigBroken(f"the load ended, exit {self.process.returncode}", evidence=self.last_lines())

    def end(self) -> None:
        """Stop the load; every request has ended and is recorded. Raises RigBroken where it did not run well."""
        self.must_go_on()
        _stop(self.process)
        if self.process.returncode:
            raise RigBroken(f"the load ended with exit {self.process.returncode}", evidence=self.last_lines())

    def cpu(self) -> float | None:
        """How much of a core the busiest of its processes used, as a fraction; None where they did not say."""
        said = [_read(path) for path in self.record.glob("generator-*.json")]
        return max((round(it["cpu_s"] / it["wall_s"], 3) for it in said if it["wall_s"]), default=None)

    def last_lines(self) -> str:
        """The end of its log, as evidence."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-LOG_LINES:])

    def _first(self) -> float:
        self.must_go_on()
        for path in self.record.glob("requests-*.jsonl"):
            line = path.read_text(encoding="utf-8").partition("\n")
            if line[1]:
                return float(json.loads(line[0])["intended"])
        return 0.0


@contextmanager
def running(load: Load, seed: int, longest_s: float, folder: Path) -> Iterator[Running]:
    """Start the load, which ends by itself after `longest_s`; however the block ends, it does not outlive it."""
    log = folder.parent / "locust.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(LOCUST), *_words(load, seed, longest_s, folder)],
            cwd=ROOT,
            env={**os.environ, STARTER: str(os.getpid())},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Running(process, folder, log)
    finally:
        _stop(process)


def _words(load: Load, seed: int, seconds: float, folder: Path) -> list[str]:
    words: list[Any] = ["-f", FILE, "--headless", "-t", f"{seconds:.0f}s", "--rate", load.rate]
    words += ["--write-share", load.write_share, "--seed", seed, "--record", folder, "--only-summary"]
    words += ["--processes", load.processes] if load.processes > 1 else []
    return [str(word) for word in words]


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Ask it to end, so that what is under way is recorded; then end it."""
    for signum, grace in ((signal.SIGTERM, ENDS_S), (signal.SIGKILL, 5.0)):
        if process.poll() is not None:
            return
        os.killpg(process.pid, signum)
        end = time.monotonic() + grace
        try:
            process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            continue


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))
