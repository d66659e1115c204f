"""The load of experiments: an open loop at a rate, and a record of every request.

    locust -f loadtests/open_loop.py --headless -t 60s --rate 20 --write-share 0.2 --seed 1 --record FOLDER
    locust -f loadtests/open_loop.py ... --processes 2     the rate is divided; so it is among --worker machines

Requests start when rate and seed say so (loadtests/arrivals.py), and their time counts from there, in Locust's figures
too. Nothing is ever sent again, and every request has a connection of its own (loadtests/request.py). The folder then
holds, for each process, requests-<process>.jsonl (loadtests/record.py) and generator-<process>.json: processor time
used, and how late requests started. Locust's number of users says nothing here.

A site that fails is no reason to stop: requests go on and are recorded as long as the way leads to the lab. The end
(-t, SIGTERM, Ctrl-C) waits for the requests under way, up to 17 seconds. With --processes, Locust takes a second or
more of -t before the first request, and port 5557: two loads at once need --master-port and --master-bind-port.

Exit codes: 0 it ran and recorded, whatever became of the requests; 2 a value is wrong or the host is not the lab's;
3 the lab is not up, the way to it was lost during the run, or a process broke; 4 a headless run that recorded nothing.
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
LOAD = AsyncResult()  # this process's, once it is ready
OPTIONS = (
    ("--rate", "20", "requests per second, over all processes"),
    ("--rates", "", "other rates later: 20:30,40:60 means 30 requests per second after 20 s, and 60 after 40 s"),
    ("--write-share", "0.2", "the part of them that leaves a note, 0 to 1"),
    ("--seed", "1", "a number: the same one makes the same requests at the same times"),
    ("--record", "", "the folder of the record, made if it is not there; one folder a run"),
    ("--at-once", "0", "the most requests under way in a process; 0: enough for a site that answers nothing"),
)


class Nobody(User):
    """Locust wants users. Here the clock sends requests; this one waits."""

    host = LAB.url.rstrip("/")
    wait_time = constant(1)

    @task
    def nothing(self) -> None:
        """Be there."""


def options(parser: LocustArgumentParser, **_: Any) -> None:
    """Options are text: loadtests/settings.py names all mistakes in them at once, a parser only the first."""
    parser.set_defaults(**startup.OF_THIS_MACHINE)
    for name, default, text in OPTIONS:
        parser.add_argument(name, default=default, help=text, include_in_web_ui=False)


def start(environment: Environment, runner: LocalRunner | MasterRunner | WorkerRunner, **_: Any) -> None:
    """Refuse to start when a value is wrong or the lab is not up; else make the load ready."""
    host = str(environment.host or Nobody.host).rstrip("/")
    try:
        if not isinstance(runner, WorkerRunner):  # they are told by their leader
            settings.check(vars(environment.parsed_options), _mistakes(host))
        GUARD.reach(host)
    except LabError as error:
        startup.refuse(environment, runner, error)
    load = Leader(environment, runner) if isinstance(runner, MasterRunner) else Sender(environment, runner, GUARD, host)
    # Added later than those of Locust's runner, which are called in reverse: it would leave before the end.
    events.quitting.add_listener(lambda **_: _finish(environment, load))
    LOAD.set(load)
    if not startup.is_forked(environment, runner):  # its leader ends it
        gevent.spawn(parent_watch.watch)


def begin(**_: Any) -> None:
    """A leader may start a worker that is not ready yet."""
    LOAD.get().begin()


def end(**_: Any) -> None:
    """Before Locust stops its users: wait for the requests under way."""
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
