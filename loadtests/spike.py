"""A spike: few users, then a crowd within seconds, then few again. The users are those of loadtests/site.py.

    locust -f loadtests/spike.py                                          graphs: http://127.0.0.1:8089
    locust -f loadtests/spike.py --headless --html runs/load/spike.html   three minutes
    locust -f loadtests/spike.py --quiet-users 10 --crowd-users 200       users around the crowd, and in it

30 s quiet, 10 s until the crowd is complete, 60 s of crowd, 10 s until it is gone, 60 s to see whether the site
recovers. How to read the graph: docs/crowd.md. The site refuses most of a crowd on purpose: Locust counts these
requests (503) as failures, but they do not change the exit code.

Exit codes: 0 it ran; 1 a user raised an exception; 2 a value is wrong or the host is not the lab's; 3 the lab is not
up, or disappeared during the run; 4 a headless run recorded no request.
"""

from typing import Any

from locust import LoadTestShape, events
from locust.env import Environment

from loadtests import site
from loadtests.site import Reader, Writer

__all__ = ["Reader", "Spike", "Writer"]

QUIET_S, RAMP_S, CROWD_S = 30, 10, 60
# The end of each part, in seconds after the start, and whether it has the crowd.
PARTS = (
    (QUIET_S, False),
    (QUIET_S + RAMP_S + CROWD_S, True),
    (QUIET_S + RAMP_S + CROWD_S + RAMP_S + CROWD_S, False),
)


class Spike(LoadTestShape):
    """The number of users over time: few, a crowd, few."""

    def tick(self) -> tuple[int, float] | None:
        """The number of users now, and how many may start or stop in a second; None at the end."""
        options = vars(self.runner.environment.parsed_options) if self.runner else {}
        quiet, crowd = int(options.get("quiet_users", 0)), int(options.get("crowd_users", 0))
        run_time_s: float = self.get_run_time()  # type: ignore[no-untyped-call]  # Locust's own
        for until_s, is_crowd in PARTS:
            if run_time_s < until_s:
                return (crowd if is_crowd else quiet), max(1.0, (crowd - quiet) / RAMP_S)
        return None


def offer(parser: Any, **_: Any) -> None:
    """Add the options for the number of users."""
    parser.add_argument("--quiet-users", type=int, default=10, help="users before and after the crowd")
    parser.add_argument("--crowd-users", type=int, default=200, help="users while the crowd is there")


def finish(environment: Environment, **_: Any) -> None:
    """Set the exit code like site.py, except that failed requests are no failure: a crowd is refused on purpose."""
    site.finish(environment)
    if environment.process_exit_code == 1 and environment.runner and not environment.runner.exceptions:
        environment.process_exit_code = 0


events.init_command_line_parser.add_listener(offer)
events.quitting.remove_listener(site.finish)  # called last, it would set the exit code
events.quitting.add_listener(finish)
