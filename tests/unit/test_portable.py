"""Native Windows is not promised, but `invoke --list` works without what only POSIX has."""

import subprocess
import sys

LISTS = """
import os, signal, sys
import tasks  # with all that others made, which know Windows by themselves
for name in [it for it in sys.modules if it.split(".")[0] in {"tasks", "lab", "host", "box", "fabfile", "commands"}]:
    del sys.modules[name]
for name in ("fcntl", "grp", "pwd", "pty", "resource", "termios", "tty"):
    sys.modules[name] = None
del signal.SIGKILL, os.killpg, os.geteuid, os.getsid
import tasks
assert "locust" not in sys.modules, "it patches the whole process"  # tasks.py is in no package, so in no contract
print(len(tasks.ns.task_names))
"""


def test_the_commands_are_listed_without_posix() -> None:
    """A module that is imported at the top, or a signal that is named there, would end each command."""
    done = subprocess.run([sys.executable, "-c", LISTS], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20
