"""The processes of a load: senders, each with a part of the load, and a leader if Locust runs several."""

import logging
import os
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.exception import CatchResponseError
from locust.rpc import Message
from locust.runners import LocalRunner, MasterRunner, WorkerRunner

from lab.errors import InfrastructureBroken, LabError
from loadtests import startup
from loadtests.arrivals import arrivals, share
from loadtests.generator import Generator
from loadtests.record import Record, Request
from loadtests.request import LONGEST_S, Site
from loadtests.settings import Settings
from loadtests.target_guard import TargetGuard

END, ENDED = "load-end", "load-ended"  # the leader's message to the senders, and their answer
SPARE_S = 5.0
NOTHING_RECORDED = 4


class Sender:
    """A process that sends a part of the load, or all of it if it is the only one."""

    def __init__(
        self, environment: Environment, runner: LocalRunner | WorkerRunner, guard: TargetGuard, host: str
    ) -> None:
        self.environment, self.runner, self.guard, self.host = environment, runner, guard, host
        self.refusal: LabError | None = None
        self._generator: Generator | None = None
        self._parent = os.getppid() if startup.is_forked(environment, runner) else 0
        if isinstance(runner, WorkerRunner):
            runner.register_message(END, lambda **_: self.end(), concurrent=True)  # in a greenlet: it takes seconds

    def begin(self) -> None:
        """Start to send if this process has a part; one that connected after the start has none."""
        own, options = self.runner.client_id, vars(self.environment.parsed_options)
        parts = options["parts"] if isinstance(self.runner, WorkerRunner) else {own: 0}
        if own not in parts:
            logging.warning("this process connected after the start of the load, it sends nothing")
            return
        try:
            self._generator = self._make(Settings.model_validate(options), parts[own], len(parts))
        except LabError as error:
            gevent.spawn(self._give_up, error)
        else:
            self._generator.start()

    def end(self) -> None:
        """Return when all requests under way have ended and are recorded; then report to the leader."""
        if self._generator:
            self._generator.end()
        if isinstance(self.runner, WorkerRunner):
            self.runner.send_message(ENDED, {"recorded": self._recorded, "exit_code": self.exit_code})

    @property
    def exit_code(self) -> int:
        """The exit code of the run, as far as this process knows it."""
        if self.refusal:
            return self.refusal.exit_code
        return 0 if isinstance(self.runner, WorkerRunner) else _code(self.environment, self._recorded)

    @property
    def _recorded(self) -> int:
        return self._generator.site.record.ended if self._generator else 0

    def _make(self, chosen: Settings, position: int, processes: int) -> Generator:
        self.host = (self.environment.host or self.host).rstrip("/")  # the web page has a field for it
        site = Site(self.guard.lab, self.host, Record(Path(chosen.record), str(position)))
        visits = share(arrivals(chosen.schedule, chosen.write_share, chosen.seed), position, processes)
        return Generator(site, visits, chosen.bound, self._lost, self._report, self._give_up)

    def _lost(self) -> LabError | None:
        if self._parent and os.getppid() != self._parent:
            return InfrastructureBroken("the leader of the load's processes is gone")
        return self.guard.lost(self.host)

    def _report(self, request: Request, size: int) -> None:
        """Report a request to Locust's figures; its response time counts from the intended start."""
        ended = request.ended or request.intended
        failure = CatchResponseError(f"{request.outcome}: {request.reason}") if request.outcome != "ok" else None
        self.environment.events.request.fire(
            request_type=request.method,
            name=request.name,
            response_time=(ended - request.intended) * 1000,
            response_length=size,
            exception=failure,
            context={},
            start_time=request.intended,
        )

    def _give_up(self, error: LabError) -> None:
        logging.error("the load ends: %s", error)
        self.refusal = error
        if isinstance(self.runner, WorkerRunner):
            self.end()
        else:
            _stop(self.environment, self.runner)


class Leader:
    """The leading process: it assigns the parts to the senders, ends them, and sends no requests itself."""

    def __init__(self, environment: Environment, runner: MasterRunner) -> None:
        self.environment, self.runner = environment, runner
        self._waits_for: set[str] = set()
        self._answers: dict[str, dict[str, int]] = {}
        self._all_ended = Event()
        runner.register_message(ENDED, self._hear)

    def begin(self) -> None:
        """Add the parts to the options, which Locust sends to all workers before they begin."""
        names = [node.id for node in (*self.runner.clients.ready, *self.runner.clients.running)]
        parts = {name: position for position, name in enumerate(names)}
        vars(self.environment.parsed_options)["parts"] = parts
        self._waits_for, self._answers = set(names), {}
        self._all_ended.clear()

    def end(self) -> None:
        """Return when all senders have ended; Locust would not wait for them."""
        if self._waits_for and not self._all_ended.is_set():
            self.runner.send_message(END)
            self._all_ended.wait(LONGEST_S + SPARE_S)
            self._all_ended.set()  # a sender that has not answered by now never will

    @property
    def exit_code(self) -> int:
        """The exit code of the run."""
        if self._waits_for:
            logging.error("%d processes did not report that they had ended", len(self._waits_for))
            return InfrastructureBroken.exit_code
        worst = max((answer["exit_code"] for answer in self._answers.values()), default=0)
        return worst or _code(self.environment, sum(answer["recorded"] for answer in self._answers.values()))

    def _hear(self, msg: Message, **_: Any) -> None:
        self._answers[msg.node_id] = msg.data
        self._waits_for.discard(msg.node_id)
        if not self._waits_for:
            self._all_ended.set()
        elif msg.data["exit_code"]:  # without one of its parts the load is not the planned one
            gevent.spawn(_stop, self.environment, self.runner)


def _stop(environment: Environment, runner: LocalRunner | MasterRunner) -> None:
    if _headless(environment):
        runner.quit()
    else:
        runner.stop()


def _code(environment: Environment, recorded: int) -> int:
    return NOTHING_RECORDED if _headless(environment) and not recorded else 0


def _headless(environment: Environment) -> bool:
    return bool(environment.parsed_options and environment.parsed_options.headless)
