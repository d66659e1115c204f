"""Runs one experiment: load, observers, faults at their times, healing, final reads; all goes to its timeline."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from lab import clock, progress
from lab.analysis import load_record, run_folder
from lab.analysis.checks.catalogue import REPORTED
from lab.analysis.timeline import Entry, Writer, entry
from lab.desired.target import Roles
from lab.errors import LabError, TimedOut, explained
from lab.experiment import (
    effective_config,
    final_reads,
    load,
    observers,
    own_choices,
    requests_seen,
    schedule,
    subcommand,
    teardown,
)
from lab.experiment.host_use import HostUse
from lab.experiment.live_state import Latest
from lab.experiment.load import Running
from lab.experiment.role_recovery import RoleRecovery, Turn
from lab.faults.kinds import Fault
from lab.injection import inject_and_heal
from lab.nodes import facts, lifecycle
from lab.nodes.ssh import Machine
from lab.operations import logs, restore
from lab.plan.experiment_file import Plan, Step
from lab.topology import Lab
from lab.wait import pause, working

MOMENTS_S = 1.0  # HAProxy's check interval: a fault comes at a random moment of it
HOLD_S, AFTERWARDS_S = 10.0, 3.0  # longer than HAProxy may take to notice; of load on the healthy lab at the end


@contextmanager
def run(lab: Lab, plan: Plan, roles: Roles, rounds: int = 0) -> Iterator[Path]:
    """Run an experiment; the block gets its folder, however it ended. An interruption is raised again after the block.

    With `rounds` its faults are injected that often, at moments drawn by its seed, instead of at their times.
    An infrastructure failure is on the timeline ('broken'). Raises LabNotUp if the lab is not healthy before.
    """
    restore.must_be_healthy(lab)
    own_choices.apply(lab, roles, {"durability": plan.durability, **_balancing(plan)}, plan.without)
    it = Run(lab, plan, roles)
    why = "interrupted"
    try:
        it.roles.take()
        it.introduce(rounds)
        it.measure(rounds)
        teardown.tried("the roles are not as they were", it.roles.give_back, teardown.LOOK)
        why = ""
    except Exception as error:
        why = explained(error).what
        it.record("broken", why=str(explained(error)))
        progress.say("lab", f"the test infrastructure failed: {why}")
        if not isinstance(error, LabError | OSError):
            raise  # a bug: its traceback is needed to fix it
    finally:
        it.close(why)
        yield it.folder


def _balancing(plan: Plan) -> dict[str, str]:
    return {name: value for name, value in (("algorithm", plan.algorithm), ("mode", plan.mode)) if value}


class Run:
    """An experiment while it runs; it records everything on its timeline."""

    def __init__(self, lab: Lab, plan: Plan, roles: Roles) -> None:
        self.lab, self.plan = lab, plan
        self.machines = lifecycle.machines(lab)
        self.folder = run_folder.make(plan.name)
        self.began = time.time()
        self._writer = Writer(self.folder / run_folder.TIMELINE)
        self._latest = Latest(lab, self._writer.write)
        self._given_up = threading.Event()
        self._commanded = False
        self.roles = Turn(self.machines, plan.primary, self._unrecorded_command)
        converge = partial(own_choices.apply, lab, roles, {}, plan.without)
        self._recovery = RoleRecovery(self._latest, partial(self._converge, converge), self._command, plan.settle_s)

    def record(self, kind: str, **data: Any) -> None:
        """Record what the experiment did."""
        self._writer.write(Entry(clock.now(), "lab", kind, data))

    def record_fault(self, word: str, fault: Fault) -> None:
        """Record what the experiment did with a fault."""
        self.record(word, fault=fault.as_data())

    def introduce(self, rounds: int) -> None:
        """Record the plan, the deciding configuration, versions, and the clock errors of the nodes."""
        progress.say("lab", "reads versions, configuration and clocks of the nodes")
        (self.folder / run_folder.EXPERIMENT).write_text(self.plan.text, encoding="utf-8")
        text = effective_config.haproxy(self._having("balancer"))
        config = effective_config.missing(self.plan.without) + effective_config.lines(text)
        config += effective_config.mysql_lines(effective_config.mysql(self._having("database")), self.plan.durability)
        nodes = {node.name: list(node.roles) for node in self.lab.nodes}
        about = {"nodes": nodes, "limits": effective_config.limits(text), "config": config}
        about |= {"format": run_folder.FORMAT, "versions": facts.versions(self.machines), "rounds": rounds}
        self.record("run", **self.plan.as_data(), **about)
        for error in observers.clock_errors(self.machines):
            self._writer.write(error)
        self._recovery.primary = self.roles.primary

    def measure(self, rounds: int) -> None:
        """Start load and observers, and do every step at its time; then heal, and wait until the lab is healthy."""
        before = final_reads.tokens(self.machines)
        plan = self.plan
        with observers.watching(self.lab, self.machines, self._latest.write):
            requests, host = requests_seen.requests(self._having("balancer")), HostUse()
            progress.say("load", "starts")
            longest_s = plan.warm_up_s + plan.measure_s + plan.settle_s + schedule.LONGEST_S * (rounds + 1)
            with load.running(plan.load, plan.seed, longest_s, self.folder / run_folder.RECORD, plan.warm_up_s) as it:
                start = it.began()
                progress.say("load", f"warms up for {plan.warm_up_s:.0f} s")
                self.record("phase", name="warm-up")
                zero = start + plan.warm_up_s
                going = partial(self._must_go_on, it)
                self._repeat(zero, going, rounds) if rounds else self._play(zero, going)
                self.record("phase", name="settle")
                self._settle()
                pause(AFTERWARDS_S)
                self.record("phase", name="end")
                progress.say("load", "ends: requests under way are waited for")
                it.end()
                used = {"cpu": it.cpu(), "cpu_peak": it.cpu_peak(), **host.shares()}
                self.record("generator", **used, requests_seen=self._seen(requests))
        self._read_databases(before)

    def _read_databases(self, before: set[str]) -> None:
        """Wait until the databases are equal, and record the notes of each; if they never are, gtid-equal fails.

        Raises TimedOut if the plan does not have that check, or if a database could not be read.
        """
        progress.say("lab", "reads what every database holds")
        late: TimedOut | None = None
        try:
            final_reads.wait_until_equal(self.machines, self.plan.settle_s)
        except TimedOut as error:
            late = error
        read = final_reads.read(self.machines, before)
        for data in read:
            self.record("final", **data)
        expected = "gtid-equal" in [it.check for it in self.plan.expect if it.bound != REPORTED]
        if late and not (expected and len(read) == len(self.lab.having("database"))):
            raise late

    def close(self, why: str) -> None:
        """Heal the lab and complete the run's folder, however the run ended; `why` is '' if it ended well."""
        progress.say("lab", "writes the timeline and fetches the logs")
        record = self.folder / run_folder.RECORD
        for trouble in (
            teardown.tried("faults are left", self._heal_all, "invoke fault.heal"),
            teardown.tried("the requests are not on the timeline", lambda: self._merge(record), f"look into {record}"),
        ):
            if trouble:
                self.record("broken", why=trouble)
        self.record("end", complete=not why, why=why, clock_jumped_s=round(clock.jumped(), 1))
        self._writer.close()
        where = self.folder / run_folder.LOGS
        teardown.tried("the logs are not saved", lambda: logs.save(self.lab, where, self.began), "invoke lab.logs")
        if why and (self._commanded or self.roles.turned):
            roles = partial(teardown.report_roles, self.machines, self.roles.before)
            teardown.tried("the roles are not known", roles, teardown.LOOK)

    def _merge(self, record: Path) -> None:
        for data in load_record.merge(record):
            self._writer.write(entry(data))

    def _play(self, zero: float, going: Callable[[], None]) -> None:
        """Measure, and do the steps of the plan meanwhile."""
        self._measures(zero, going)
        progress.say("load", f"measures for {self.plan.measure_s:.0f} s")
        with working("load", "still measures"):
            schedule.play(self.plan.steps, zero, zero + self.plan.measure_s, self._step, going, self._given_up.set)

    def _measures(self, zero: float, going: Callable[[], None]) -> None:
        schedule.play((), zero, zero, self._step, going, self._given_up.set)
        self.record("phase", name="measure")

    def _repeat(self, zero: float, going: Callable[[], None], rounds: int) -> None:
        """Inject and heal the plan's faults in every round, and wait each time until the lab is healthy."""
        self._measures(zero, going)
        for number, wait_s in enumerate(schedule.moments(rounds, self.plan.seed, MOMENTS_S), 1):
            progress.say("load", f"round {number} of {rounds}")
            pause(wait_s)
            for fault in self.plan.faults:
                inject_and_heal.inject(self.lab, fault, self._machine(fault), report=self.record_fault)
            progress.say("load", f"goes on for {HOLD_S:.0f} s with the faults active")
            pause(HOLD_S)
            self._settle()
            going()

    def _must_go_on(self, running: Running) -> None:
        """Raise InfrastructureBroken if the load has ended or the timeline can't be written."""
        running.must_go_on()
        self._writer.must_be_complete()

    def _step(self, step: Step) -> None:
        if step.action == "command":
            self._command(step.command)
        elif step.fault:
            act = inject_and_heal.inject if step.action == "inject" else inject_and_heal.heal
            act(self.lab, step.fault, self._machine(step.fault), report=self.record_fault)

    def _machine(self, fault: Fault) -> Machine:
        return next(machine for machine in self.machines if machine.node.name == fault.node)

    def _settle(self) -> None:
        progress.say("lab", "heals every fault and waits until the lab is healthy")
        self._heal_all()
        self._recovery.go()

    def _command(self, words: str) -> tuple[int, str]:
        progress.say("lab", f"invoke {words}")
        self._commanded = True
        began = clock.now()
        code, output = self._unrecorded_command(words)
        self.record("command", words=words, began=began, exit_code=code, output=output[-500:])
        return code, output

    def _converge(self, converge: Callable[[], None]) -> None:
        """Make the lab as it should be, which is no command of the plan; the report shows what it changed."""
        began = clock.now()
        converge()
        self.record("recovery", words="lab.provision", began=began)

    def _unrecorded_command(self, words: str) -> tuple[int, str]:
        return subcommand.run(words, self._given_up.is_set)

    def _heal_all(self) -> list[Fault]:
        return inject_and_heal.heal_all(self.lab, report=self.record_fault)

    def _having(self, role: str) -> Machine:
        return next(machine for machine in self.machines if role in machine.node.roles)

    def _seen(self, before: int | None) -> dict[str, int] | None:
        seen = requests_seen.since(self._having("balancer"), before)
        return None if seen is None else {"site": seen - load.probes(self.plan.load)}
