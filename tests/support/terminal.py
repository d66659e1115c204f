"""A terminal for tests: a program runs on its pseudo terminal, and a screen shows what a person would see."""

import os
import re
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from lab.topology import ROOT

CODE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n])")
SILENT_S, MOST_FRAMES = 60, 1000  # no deadline by the clock: a machine may hold this process still meanwhile
OURS = {"TERM": "xterm", "LANG": "C.UTF-8"}
THEIRS = ("CI", "NO_COLOR", "WEBLAB_PLAIN", "LC_ALL", "LC_CTYPE", "COLUMNS", "FORCE_COLOR")


@dataclass
class Screen:
    """What stands on a terminal after the codes that Rich uses; `wrapped` are lines longer than it is wide."""

    columns: int
    lines: list[str] = field(default_factory=lambda: [""])
    row: int = 0
    column: int = 0
    cursor: bool = True
    wrapped: list[str] = field(default_factory=list)

    def feed(self, text: str) -> None:
        """Draw what a program wrote."""
        for parameters, code, control, letter in CODE.findall(text):
            if letter:
                self._put(letter)
            elif control:
                self._move(control)
            elif code == "A":
                self.row = max(0, self.row - int(parameters or 1))
            elif code == "K":
                self.lines[self.row] = ""
            elif parameters == "?25":
                self.cursor = code == "h"

    def _put(self, letter: str) -> None:
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[: self.column] + letter + line[self.column + 1 :]
        self.column += 1
        if self.column > self.columns:
            self.wrapped.append(self.lines[self.row])

    def _move(self, control: str) -> None:
        self.column = 0
        if control == "\n":
            self.row += 1
            self.lines += [""] * (self.row + 1 - len(self.lines))

    def __str__(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines).rstrip()


@dataclass
class Terminal:
    """A program on a terminal: what it wrote so far, and each screen that was seen."""

    process: "subprocess.Popen[bytes]"
    master: int
    screen: Screen
    written: str = ""
    frames: list[str] = field(default_factory=list)

    def until(self, text: str) -> None:
        """Read until this text stands on the screen."""
        while text not in str(self.screen):
            assert len(self.frames) < MOST_FRAMES and self._read(), f"no {text!r} in:\n{self.screen}"

    def press(self, keys: bytes) -> None:
        """Type while nothing is being drawn: Ctrl-C discards what is on its way to the terminal, termios(3)."""
        while select.select([self.master], [], [], 0.05)[0] and self._read():
            pass
        os.write(self.master, keys)

    def end(self) -> int:
        """Read to the end; the program's exit code."""
        while self._read():
            pass
        return self.process.wait(SILENT_S)

    def _read(self) -> bool:
        if not any(select.select([self.master], [], [], 1)[0] for _ in range(SILENT_S)):
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the program's end of the terminal is closed
            return False
        text = data.decode(errors="replace")
        self.written += text
        self.screen.feed(text)
        self.frames.append(str(self.screen))
        return bool(data)


@contextmanager
def running(*words: str, columns: int = 80, env: Mapping[str, str] | None = None) -> Iterator[Terminal]:
    """Run a Python module of the tests on a terminal of its own, which Ctrl-C reaches."""
    import fcntl
    import pty
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    own = {name: value for name, value in os.environ.items() if name not in THEIRS} | OURS | dict(env or {})
    argv = [sys.executable, "-m", *words]
    process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, cwd=ROOT, env=own, start_new_session=True)
    os.close(slave)
    try:
        yield Terminal(process, master, Screen(columns))
    finally:
        process.kill()
        process.wait()
        os.close(master)
