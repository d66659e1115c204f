"""Locust as a command, like a user starts it: with all its settings on the command line, and a proxy that is no use."""

import os
import subprocess
import sys
from pathlib import Path

LOCUST = str(Path(sys.executable).with_name("locust"))
# A proxy where nobody listens: whoever uses it gets no answer.
ASTRAY = {"http_proxy": "http://127.0.0.1:9", "all_proxy": "http://127.0.0.1:9", "no_proxy": ""}
LONGEST_S = 40.0


def start(checkout: Path, file: str, *words: str) -> "subprocess.Popen[str]":
    """Locust in a checkout."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")} | ASTRAY
    return subprocess.Popen(
        [LOCUST, "-f", file, *words],
        cwd=checkout,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def stop(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Ask it to end, as an experiment does, and wait for it."""
    process.terminate()
    return end(process)


def end(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Wait for it: exit code and output."""
    with process:
        try:
            output, _ = process.communicate(timeout=LONGEST_S)
        finally:
            process.kill()
        return process.returncode, output
