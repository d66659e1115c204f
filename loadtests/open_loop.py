"""The load of experiments: an open loop at a rate, and a record of every request.

    locust -f loadtests/open_loop.py --headless -t 60s --rate 20 --write-share 0.2 --seed 1 --record FOLDER
    locust -f loadtests/open_loop.py ... --processes 2     divides the rate among processes, or --worker machines

Rate and seed determine when requests start (loadtests/arrivals.py), and response times count from then, in Locust's
figures too. No request is sent again, and each has its own connection (loadtests/request.py). For each process, the
folder then holds requests-<process>.jsonl (loadtests/record.py) and generator-<process>.json: processor time used,
and how late requests started. Locust's number of users means nothing here.

The load does not stop when the site fails: requests continue and are recorded as long as there is a route to the lab.
The end (-t, SIGTERM, Ctrl-C) waits for the requests under way, up to 17 seconds. With --processes, Locust uses a second
or more of -t before the first request, and port 5557: two loads at once need --master-port and --master-bind-port.

Exit codes: 0 the load ran and was recorded, whether or not requests failed; 2 a value is wrong or the host is not the
lab's; 3 the lab is not up, the route to it was lost, or a process broke; 4 a headless run recorded nothing.
"""

from typing import Any

import gevent
from gevent.event import AsyncResult
from locust import User, constant, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import LocalRunner, MasterRunner, WorkerRunner

from lab.errors import BadInput, LabError
from loadtests import parent_watch, settings, startup
from loadtests.processes import Leader, Sender
from loadtests.target_guard import TargetGuard

LAB = startup.lab()
GUARD = TargetGuard(LAB)
LOAD = AsyncResult()  # the Leader or Sender of this process, once it is ready
OPTIONS = (
    ("--rate", "20", "requests per second, over all processes"),
    ("--rates", "", "other rates later: 20:30,40:60 means 30 requests per second after 20 s, and 60 after 40 s"),
    ("--write-share", "0.2", "fraction of the requests that write a note, 0 to 1"),
    ("--seed", "1", "a number: the same seed makes the same requests at the same times"),
    ("--record", "", "folder of the record, created if it is missing; each run needs its own"),
    ("--at-once", "0", "maximum of requests under way in a process; 0: enough even if the site answers nothing"),
)


class Nobody(User):
    """A user that does nothing: Locust requires users, but here a dispatcher sends the requests."""

    host = LAB.url.rstrip("/")
    wait_time = constant(1)

    @task
    def nothing(self) -> None:
        """Locust requires a task."""


def options(parser: LocustArgumentParser, **_: Any) -> None:
    """Add the options as text: loadtests/settings.py reports all mistakes at once, the parser only the first."""
    parser.set_defaults(**startup.OF_THIS_MACHINE)
    for name, default, text in OPTIONS:
        parser.add_argument(name, default=default, help=text, include_in_web_ui=False)


def start(environment: Environment, runner: LocalRunner | MasterRunner | WorkerRunner, **_: Any) -> None:
    """Prepare the load, or refuse to start if a value is wrong or the lab is not up."""
    host = str(environment.host or Nobody.host).rstrip("/")
    try:
        if not isinstance(runner, WorkerRunner):  # workers get their options from the leader
            settings.check(vars(environment.parsed_options), _mistakes(host))
        GUARD.reach(host)
    except LabError as error:
        startup.refuse(environment, runner, error)
    load = Leader(environment, runner) if isinstance(runner, MasterRunner) else Sender(environment, runner, GUARD, host)
    # Added after the listeners of Locust's runner: listeners are called in reverse, so this one ends the load first.
    events.quitting.add_listener(lambda **_: _finish(environment, load))
    LOAD.set(load)
    if not startup.is_forked(environment, runner):  # the leader ends a forked worker
        gevent.spawn(parent_watch.watch)


def begin(**_: Any) -> None:
    """Start the load; waits until it is ready, because a leader may start a worker earlier."""
    LOAD.get().begin()


def end(**_: Any) -> None:
    """Wait for the requests under way, before Locust stops its users."""
    LOAD.get().end()


def _mistakes(host: str) -> list[str]:
    try:
        GUARD.belongs(host)
    except BadInput as error:
        return [error.what]
    return []


def _finish(environment: Environment, load: Leader | Sender) -> None:
    load.end()
    environment.process_exit_code = load.exit_code


events.init_command_line_parser.add_listener(options)
events.init.add_listener(start)
events.test_start.add_listener(begin)
events.test_stopping.add_listener(end)
