"""A spike: a quiet site, then a crowd within seconds, then quiet again. The users of loadtests/site.py, more of them.

    locust -f loadtests/spike.py                                          graphs: http://127.0.0.1:8089
    locust -f loadtests/spike.py --headless --html runs/load/spike.html   three minutes
    locust -f loadtests/spike.py --quiet-users 10 --crowd-users 200       users before and after, and in between

30 s quiet, 10 s until the whole crowd is there, 60 s of it, 10 s until it is gone, 60 s to see whether all is as
before. How to read its graph: docs/crowd.md. Most of a crowd is refused on purpose, so requests that were refused (503)
count as failures in Locust's figures, and the exit code says nothing of them.

Exit codes: 0 it ran; 1 a user broke; 2 a value is wrong or the host is not the lab's; 3 the lab is not up, or went away
during the run; 4 a headless run that recorded no request.
"""

from typing import Any

from locust import LoadTestShape, events
from locust.env import Environment

from loadtests import site
from loadtests.site import Reader, Writer

__all__ = ["Reader", "Spike", "Writer"]

QUIET_S, RAMP_S, CROWD_S = 30, 10, 60
# Seconds after the start until which a part lasts, and whether the crowd is there.
PARTS = (
    (QUIET_S, False),
    (QUIET_S + RAMP_S + CROWD_S, True),
    (QUIET_S + RAMP_S + CROWD_S + RAMP_S + CROWD_S, False),
)


class Spike(LoadTestShape):
    """Quiet, a crowd, quiet."""

    def tick(self) -> tuple[int, float] | None:
        """How many users there should be now, and how many a second may come or go; None at the end."""
        options = vars(self.runner.environment.parsed_options) if self.runner else {}
        quiet, crowd = int(options.get("quiet_users", 0)), int(options.get("crowd_users", 0))
        run_time_s: float = self.get_run_time()  # type: ignore[no-untyped-call]  # Locust's own
        for until_s, is_crowd in PARTS:
            if run_time_s < until_s:
                return (crowd if is_crowd else quiet), max(1.0, (crowd - quiet) / RAMP_S)
        return None


def offer(parser: Any, **_: Any) -> None:
    """How many users."""
    parser.add_argument("--quiet-users", type=int, default=10, help="users before and after the crowd")
    parser.add_argument("--crowd-users", type=int, default=200, help="users while the crowd is there")


def finish(environment: Environment, **_: Any) -> None:
    """The exit code of site.py, but refusals are what a crowd is told: they are no failure of the run."""
    site.finish(environment)
    if environment.process_exit_code == 1 and environment.runner and not environment.runner.exceptions:
        environment.process_exit_code = 0


events.init_command_line_parser.add_listener(offer)
events.quitting.remove_listener(site.finish)  # Locust asks it last, and its word would count
events.quitting.add_listener(finish)
