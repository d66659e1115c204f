"""The script that watches MySQL's error log on a node, run by sh: what it records and what it does not."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import pytest

from lab.mysql import shutdown
from lab.render import FOLDER, render
from lab.wait import pause, until

STOP = "2026-01-01T00:00:00.000001Z 0 [System] [MY-013172] [Server] Received SHUTDOWN from user <via user signal>.\n"
BEGINS = (
    "2026-01-01T00:00:00.000001Z 0 [System] [MY-010116] [Server] /usr/sbin/mysqld (mysqld 9.7.0) "
    "starting as process 4711\n"
)
OTHER = "2026-01-01T00:00:00.000001Z 0 [System] [MY-010931] [Server] mysqld: ready for connections.\n"
GAVE_UP = (
    "2026-01-01T00:00:00.000001Z 9 [Warning] [MY-011153] [Repl] Timeout waiting for reply of binlog "
    "(file: binlog.000002, pos: 397), semi-sync up to file binlog.000002, position 197.\n"
)
STOPPED = f"{shutdown.PREFIX}{shutdown.STOP}"
SYSTEM = f"{shutdown.PREFIX}{shutdown.SYSTEM_STOPS}"
SOON_S = 10.0
linux = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the nodes have /proc")


class Watch:
    """mysql-watch in a folder and in its own session; `record` is what it recorded in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "error.log"
        self.log.touch()
        places = {
            "/run/weblab": str(folder / "run"),
            "/dev/ttyS0": str(folder / "console"),
            "/usr/local/lib/weblab": str(folder),
            "/var/log/mysql/error.log": str(self.log),
            "/sys/fs/cgroup/system.slice/mysql.service/cgroup.procs": str(folder / "processes"),
        }
        for name in ("mysql-record", "mysql-watch"):
            text = render(f"{name}.j2")
            for old, new in places.items():
                text = text.replace(old, new)
            (folder / name).write_text(text, encoding="utf-8")
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start it as its unit does, and wait until it follows the files."""
        self.running.append(subprocess.Popen(["sh", str(self.folder / "mysql-watch")], start_new_session=True))
        files = 1 + (self.folder / "processes").exists()
        self.soon("tail follows", lambda: self.tails() == files)
        pause(0.3)

    def tails(self) -> int:
        """How many processes of tail run."""
        words = ["pgrep", "-g", str(self.running[-1].pid), "-x", "tail"]
        return len(subprocess.run(words, capture_output=True, check=False).stdout.split())

    def say(self, text: str) -> None:
        """Write a line of MySQL to its log."""
        with self.log.open("a", encoding="utf-8") as file:
            file.write(text)

    @property
    def console(self) -> str:
        """All that the console shows."""
        path = self.folder / "console"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @property
    def record(self) -> list[str]:
        """The lines in memory."""
        path = self.folder / "run" / "mysql"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def soon(self, what: str, seen: Callable[[], bool]) -> None:
        """Wait for a condition."""
        until(what, seen, SOON_S, every=0.05, hint="")

    def ends(self) -> None:
        """Wait until the shell itself has ended."""
        self.soon("the shell ends", lambda: self.running[-1].poll() is not None)

    def broadcast(self) -> None:
        """Do as systemd-shutdown: no process runs until each has its SIGTERM."""
        for which in (signal.SIGSTOP, signal.SIGTERM, signal.SIGCONT):
            os.killpg(self.running[-1].pid, which)

    def stop(self) -> None:
        """Stop the unit as systemd does, KillMode=mixed: the shell gets the signal, the others SIGKILL."""
        self.running[-1].send_signal(getattr(signal, kill_signal()))
        self.ends()
        self.kill()

    def kill(self) -> None:
        """Send SIGKILL to all processes that are left."""
        for it in self.running:
            with suppress(ProcessLookupError):
                os.killpg(it.pid, signal.SIGKILL)
            it.wait()


def kill_signal() -> str:
    """The signal by which systemd stops the unit."""
    unit = (FOLDER / "mysql-watch.service.j2").read_text(encoding="utf-8").splitlines()
    assert "KillMode=mixed" in unit
    return next((it.partition("=")[2] for it in unit if it.startswith("KillSignal=")), "SIGTERM")


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """A watch that is killed at the end, with all processes that it started."""
    it = Watch(tmp_path)
    yield it
    it.kill()


@pytest.fixture
def mysql(watch: Watch) -> Iterator[IO[bytes]]:
    """The input of a process that writes it to the log, as MySQL does; it is the first process of its unit."""
    echo = ["sh", "-c", 'while read -r line; do echo "$line" >&2; done']
    with watch.log.open("ab") as log, subprocess.Popen(echo, stdin=subprocess.PIPE, stderr=log, bufsize=0) as process:
        assert process.stdin
        (watch.folder / "processes").write_text(f"{process.pid}\n", encoding="utf-8")
        yield process.stdin


def test_a_stop_by_a_signal_or_a_statement_goes_on_record(watch: Watch) -> None:
    """In memory and on the console; nothing else is recorded."""
    watch.start()
    watch.say(OTHER)
    watch.say(STOP)
    watch.soon("it is noted", lambda: watch.record == [STOPPED])
    watch.soon("the console has it", lambda: STOPPED in watch.console)


def test_semi_sync_that_gave_up_goes_on_record(watch: Watch) -> None:
    """Not as a stop: MySQL goes on."""
    watch.start()
    watch.say(GAVE_UP)
    watch.soon("it is noted", lambda: len(watch.record) == 1)
    assert watch.record[0].startswith(f"{shutdown.PREFIX}{shutdown.GAVE_UP}")


def test_a_forced_shutdown_of_the_system_goes_on_record(watch: Watch) -> None:
    """Every process gets SIGTERM at the same moment: it is recorded before the watch ends."""
    watch.start()
    watch.broadcast()
    watch.ends()
    assert watch.record == [SYSTEM]
    assert SYSTEM in watch.console


def test_a_console_that_nobody_reads_does_not_hold_it_up(watch: Watch) -> None:
    """Not even while it ignores SIGTERM."""
    os.mkfifo(watch.folder / "console")
    watch.start()
    began = time.monotonic()
    watch.broadcast()
    watch.ends()
    assert watch.record == [SYSTEM] and time.monotonic() - began < 5


def test_a_stop_of_the_watch_alone_is_no_stop_of_mysql(watch: Watch) -> None:
    """A converge that restarts it raises no doubt, and the new watch goes on."""
    watch.start()
    watch.stop()
    assert watch.record == []
    watch.start()
    watch.say(STOP)
    watch.soon("it is noted", lambda: watch.record == [STOPPED])


def test_what_was_said_while_nobody_watched_goes_on_record(watch: Watch) -> None:
    """The watch was restarted, or crashed, just then."""
    watch.say(BEGINS)
    watch.start()
    watch.stop()
    watch.say(STOP)
    watch.say(OTHER)
    watch.start()
    watch.soon("it is noted", lambda: watch.record == [STOPPED])


def test_the_stop_of_an_earlier_mysql_is_not_noted_again(watch: Watch) -> None:
    """The server that runs now was not asked to stop, and its earlier releases are on record."""
    for line in (BEGINS, STOP, BEGINS, GAVE_UP):
        watch.say(line)
    watch.start()
    watch.say(GAVE_UP.replace("000001Z", "000002Z"))
    watch.soon("the new release is noted", lambda: bool(watch.record) and shutdown.GAVE_UP in watch.record[-1])
    assert len(watch.record) == 1


def test_a_log_that_begins_anew_is_followed(watch: Watch) -> None:
    """logrotate renames it, MySQL opens a new one."""
    watch.start()
    watch.log.rename(watch.folder / "error.log.1")
    watch.say(STOP)
    watch.soon("it is noted", lambda: watch.record == [STOPPED])


@linux
@pytest.mark.parametrize("restarted", [False, True])
def test_a_log_that_was_renamed_and_not_reopened_is_followed(watch: Watch, mysql: IO[bytes], restarted: bool) -> None:
    """MySQL goes on writing to the old file, even if a new watch can't find that by its name."""
    watch.start()
    watch.log.rename(watch.folder / "error.log.1")
    watch.log.touch()
    if restarted:
        watch.stop()
    mysql.write(STOP.encode())
    if restarted:
        watch.start()
    watch.soon("it is noted", lambda: watch.record == [STOPPED])


@linux
def test_a_line_that_is_seen_twice_is_noted_once(watch: Watch, mysql: IO[bytes]) -> None:
    """By the name of the log and by MySQL's file descriptor."""
    watch.start()
    mysql.write(STOP.encode())
    watch.soon("it is noted", lambda: bool(watch.record))
    pause(1)
    assert watch.record == [STOPPED]


def test_systemd_writes_the_same_at_the_end(tmp_path: Path) -> None:
    """lab/mysql/shutdown.py knows the line that system-shutdown writes."""
    text = render("system-shutdown.j2").replace("/dev/ttyS0", str(tmp_path / "console"))
    subprocess.run(["sh", "-c", text], check=True)
    assert (tmp_path / "console").read_text(encoding="utf-8") == f"{SYSTEM}\n"
