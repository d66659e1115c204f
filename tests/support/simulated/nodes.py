"""Nodes whose shells are bash on this machine, with the simulation's programs."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from lab.mysql import shutdown
from lab.render import render
from tests.support.simulated import programs
from tests.support.simulated.cluster import Cluster

# ruff: noqa: D102 - the methods of Channel are paramiko's, by name and meaning
PROGRAMS = Path(__file__).with_name("programs.sh")
BASH = shutil.which("bash") or "/bin/bash"
CGROUP = "/sys/fs/cgroup"
# The files of a node, and their names in a folder of the test.
LOCAL_PATHS = {"/run/weblab": "run", "/var/log/mysql": "log", shutdown.RECORDER: "recorder"}
LOCAL_PATHS |= {"/proc/uptime": "uptime", "/proc/$pid/stat": "stat", "/proc/sys/kernel/random/boot_id": "boot"}
SERIAL = "/dev/ttyS0"
UP_S, HERTZ = 100000, 100
# A test of what follows after a client gave up should not wait as long as the client would: the client gives up as
# soon as the server says that a statement will take long.
IMPATIENT = """read() {
  [[ $1 == -rt ]] || { builtin read "$@"; return; }
  local code=142
  while (( code > 128 )) && [[ ! -e $SIMULATED_STALLS/$$ ]]; do
    builtin read -rt 0.1 "${@:3}"
    code=$?
  done
  return "$code"
}
"""


class Channel:
    """An ssh channel, with paramiko's interface, to its own bash; what bash starts may go on when it is closed."""

    def __init__(self, environment: dict[str, str], places: dict[str, str], first: str) -> None:
        self.process = subprocess.Popen(
            [BASH, "-s"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        self._places, self.closed = places, False
        assert self.process.stdin and self.process.stdout and self.process.stderr
        self._stdin, self._outputs = self.process.stdin, (self.process.stdout, self.process.stderr)
        self._got, self._ended = [b"", b""], [False, False]
        for it in self._outputs:
            os.set_blocking(it.fileno(), False)
        self.sendall(first.encode())

    @property
    def eof_received(self) -> bool:
        return all(self._ended)

    @property
    def exit_status(self) -> int:
        code = self.process.poll()
        return -1 if code is None else code

    def exit_status_ready(self) -> bool:
        return self.process.poll() is not None

    def recv_exit_status(self) -> int:
        return self.exit_status

    def settimeout(self, seconds: float | None) -> None:
        """It takes all at once."""

    def send(self, data: memoryview) -> int:
        self.sendall(bytes(data))
        return len(data)

    def sendall(self, data: bytes) -> None:
        with suppress(BrokenPipeError):  # bash has ended
            self._stdin.write(_replaced(data.decode(), self._places).encode())
            self._stdin.flush()

    def shutdown_write(self) -> None:
        with suppress(BrokenPipeError):
            self._stdin.close()

    def close(self) -> None:
        self.closed = True
        self.shutdown_write()

    def recv_ready(self) -> bool:
        return self._ready(0)

    def recv_stderr_ready(self) -> bool:
        return self._ready(1)

    def recv(self, size: int) -> bytes:
        return self._take(0)

    def recv_stderr(self, size: int) -> bytes:
        return self._take(1)

    def _ready(self, which: int) -> bool:
        if not self._ended[which]:
            try:
                got = os.read(self._outputs[which].fileno(), 65536)
                self._got[which] += got
                self._ended[which] = not got
            except BlockingIOError:
                pass
        return bool(self._got[which])

    def _take(self, which: int) -> bytes:
        got, self._got[which] = self._got[which], b""
        return got


class Nodes:
    """The shells of the nodes of a cluster; `patient`: they wait for MySQL's answers in real time.

    `unreadable`: nodes whose console can't be read.
    """

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        self.patient = True
        self.unreadable: set[str] = set()
        self._channels: list[Channel] = []
        (folder / "bin").mkdir(parents=True)
        for name in programs.REAL:
            (folder / "bin" / name).symlink_to(shutil.which(name) or name)
        for it in cluster.servers:
            self._install(it.node.name)

    def shell(self, name: str) -> Channel:
        """Start a new shell on a node; raise OSError if its machine does not run."""
        state = self.cluster.power[name]
        if state != "running" or name in self.cluster.mute:
            raise OSError(f"no route to {name}: it is {state}")
        environment = {
            "PATH": str(self.folder / "bin"),
            "LC_ALL": "C",
            "SIMULATION_PORT": str(self.cluster.port),
            "SIMULATED_NODE": name,
            "SIMULATED_STALLS": str(self.folder),
        }
        places = self._places(name) | {CGROUP: str(self._cgroup(name))}
        channel = Channel(environment, places, f". {PROGRAMS}\n{'' if self.patient else IMPATIENT}")
        self._channels.append(channel)
        return channel

    def stall(self, shell: str) -> None:
        """Tell a shell, by its process ID, that a statement of its client takes long."""
        (self.folder / shell).touch()

    def note(self, name: str, line: str) -> None:
        """Add a line to the record of a node's MySQL, in its memory and on its console."""
        for path in (self.folder / name / "run" / "mysql", self.folder / name / "console"):
            path.parent.mkdir(exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{shutdown.PREFIX}{line}\n")

    def console(self, name: str) -> str | None:
        """The text of a node's console; None if it can't be read."""
        if name in self.unreadable:
            return None
        return (self.folder / name / "console").read_text(encoding="utf-8")

    def boot(self, name: str) -> None:
        """A machine starts: its memory is empty, and so is its console."""
        shutil.rmtree(self.folder / name / "run")
        (self.folder / name / "run").mkdir()
        (self.folder / name / "console").write_text("", encoding="utf-8")

    def close(self) -> None:
        """End every shell and its children."""
        for it in self._channels:
            with suppress(ProcessLookupError):
                os.killpg(it.process.pid, 9)
            it.process.wait()
            it.shutdown_write()
            for output in (it.process.stdout, it.process.stderr):
                if output:
                    output.close()

    def _install(self, name: str) -> None:
        """The files of a database node."""
        for folder in ("run", "log", "data"):
            (self.folder / name / folder).mkdir(parents=True)
        for file in ("console", "log/error.log"):
            (self.folder / name / file).touch()
        text = _replaced(render("mysql-record.j2"), self._places(name))
        (self.folder / name / "recorder").write_text(text, encoding="utf-8")

    def _places(self, name: str) -> dict[str, str]:
        local = {old: str(self.folder / name / new) for old, new in LOCAL_PATHS.items()}
        console = str(self.folder / name / "console")
        return local | {f"> {SERIAL}": f">> {console}", SERIAL: console}

    def _cgroup(self, name: str) -> Path:
        """The kernel's list of the processes of MySQL, empty if none runs; beside it, when that one began."""
        folder = self.folder / name / "cgroup"
        path = folder / "system.slice" / "mysql.service" / "cgroup.procs"
        path.parent.mkdir(parents=True, exist_ok=True)
        running = [it for it in self.cluster.servers if it.node.name == name and it.runs]
        path.write_text("123\n" if running else "", encoding="utf-8")
        for it in running:
            began, up = (UP_S + it.began_s - it.age_s) * HERTZ + it.starts, UP_S + int(it.ahead_s)
            (self.folder / name / "uptime").write_text(f"{up}.00 1.00\n", encoding="utf-8")
            (self.folder / name / "boot").write_text("b007\n", encoding="utf-8")
            (self.folder / name / "stat").write_text(f"123 (mysqld) S {'0 ' * 18}{began} 0\n", encoding="utf-8")
        return folder


def _replaced(text: str, places: Mapping[str, str]) -> str:
    for old, new in places.items():
        text = text.replace(old, new)
    return text
