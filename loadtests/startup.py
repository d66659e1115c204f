"""What every locustfile does first: read lab.yml, and refuse to start if the lab is not up."""

import sys
from typing import NoReturn

from locust.env import Environment
from locust.runners import Runner, WorkerRunner

from lab import topology
from lab.errors import LabError
from lab.topology import Lab

# Locust's page asks for no password, nor does the port to which the generators of --processes report.
OF_THIS_MACHINE = {"web_host": "127.0.0.1", "master_bind_host": "127.0.0.1"}


def lab() -> Lab:
    """The lab of lab.yml; ends the process if that file is wrong."""
    try:
        return topology.load()
    except LabError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)


def refuse(environment: Environment, runner: Runner, error: LabError) -> NoReturn:
    """End the process with the error and its exit code."""
    if not is_forked(environment, runner):  # the parent of a forked process reports the error
        sys.stderr.write(f"{error}\n")
    sys.exit(error.exit_code)


def is_forked(environment: Environment, runner: Runner) -> bool:
    """Whether this process is one of the generators of `--processes`."""
    options = environment.parsed_options
    return bool(options and options.processes) and isinstance(runner, WorkerRunner)
