"""A command that shows the converge of three nodes which do not exist: `python -m tests.support.simulated_converge`."""

import sys
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Event

from invoke.collection import Collection
from invoke.context import Context
from invoke.program import Program

from commands import command
from lab import process, progress
from lab.errors import CheckFailed
from lab.wait import pause

NODES = ("lb1", "web1", "web2")
OVER = Event()
LONG = "changes 14 files, 3 services; check of /etc/nginx/sites-available/a-name-that-is-longer-than-any-terminal.conf"


def _takes_the_terminal() -> None:
    """Ctrl-C on it reaches this process, as that of a shell does."""
    import fcntl
    import termios

    if sys.stdin.isatty():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _node(name: str, end: str) -> None:
    progress.say(name, LONG)
    progress.change(name, "file /etc/nginx/nginx.conf")
    pause(0.1 if name == "lb1" else 0.6)
    if end == "other output" and name == "web1":
        process.run(["sh", "-c", "echo a child; echo its error >&2"], timeout=5, show=lambda line: ("host", line))
        sys.stdout.write("an answer\n")
        sys.stderr.write("a warning of a library\n")
    if end == "an error" and name == "web1":
        raise CheckFailed("web1: it does not work", evidence="a \x1b[31mred\x1b[0m reason", hint="try again")
    if end == "never" and name != "lb1":
        OVER.wait()
        raise CheckFailed(f"{name}: the connection was closed")
    progress.done(name, "configured: 14 files, 3 services changed, 12 s")


@command.command(changes=False)
def show(c: Context, end: str, verbose: bool = False) -> None:
    """Converge until `end`."""
    progress.list_changes(verbose)
    with progress.display(NODES, "is asked what is there"):
        pause(0.3)
        pool = ThreadPoolExecutor(len(NODES))
        try:
            futures = [pool.submit(_node, name, end) for name in NODES]
            wait(futures)  # as lab.nodes.ssh.together: one that fails does not end the others
            for future in futures:
                future.result()
        finally:
            OVER.set()
            pool.shutdown(wait=False)
    command.say("all is done")


if __name__ == "__main__":
    command._standing = lambda then="": "web1 is running"
    _takes_the_terminal()
    Program(namespace=Collection(show)).run(["invoke", "show", *sys.argv[1:]])
