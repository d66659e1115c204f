"""Commands run one after the other in one shell, as somebody who follows a page types them."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab.topology import ROOT
from tests.support.pages import shape
from tests.support.pages.page import Command

PROXIES = ("http_proxy", "https_proxy", "all_proxy")
# Nothing reads the keyboard: ssh would take the rest of the script for what somebody types.
ONE = "{{ {text}\n}} </dev/null >{output} 2>&1; code=$?; echo $code >{code}; [ $code = {wanted} ] || exit 1"


@dataclass(frozen=True)
class Done:
    """A command and what became of it: exit code (None where it did not end or was not begun), and its answer."""

    command: Command
    exit_code: int | None
    answer: list[str]

    @property
    def failed(self) -> bool:
        """Whether it ended in another way than the page says."""
        return self.exit_code != self.command.exit_code

    @property
    def trouble(self) -> str:
        """What is wrong with it, '' where all is as the page says."""
        command = self.command
        if self.failed:
            what = "was not begun or did not end" if self.exit_code is None else f"ended with {self.exit_code}"
            return "\n".join([f"$ {command.text}", f"{what}, not with {command.exit_code}", *self.answer])
        if command.expected is None:
            return ""
        diff = shape.difference(command.expected, self.answer, either=command.either)
        return diff and "\n".join([f"$ {command.text}", *self.answer, diff])


def run(commands: Sequence[Command], folder: Path, timeout: float) -> list[Done]:
    """Run the commands in the checkout, up to the first whose exit code is another than the page's.

    What the shell prints of each is kept in `folder`. All that it started ends with it, after `timeout` seconds at
    the latest.
    """
    text = "\n".join(_one(number, command, folder) for number, command in enumerate(commands))
    shell = subprocess.Popen(["bash", "-c", text], cwd=ROOT, env=_environment(os.environ), start_new_session=True)
    try:
        with suppress(subprocess.TimeoutExpired):
            shell.wait(timeout)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()
    return [_done(number, command, folder) for number, command in enumerate(commands)]


def _one(number: int, command: Command, folder: Path) -> str:
    output, code = folder / f"{number}.output", folder / f"{number}.code"
    return ONE.format(text=command.text, output=output, code=code, wanted=command.exit_code)


def _done(number: int, command: Command, folder: Path) -> Done:
    output, code = folder / f"{number}.output", folder / f"{number}.code"
    text = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
    return Done(command, int(code.read_text()) if code.exists() else None, shape.answer(text))


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """That of a user who activated the environment; a proxy of this machine is no way to the lab."""
    kept = {name: value for name, value in given.items() if name.lower() not in PROXIES}
    return kept | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{given.get('PATH', '')}"}
