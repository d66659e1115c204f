"""A user that meets every manner of the fake site once on a fresh and once on a kept connection, then ends the run."""

import json
from pathlib import Path
from typing import Any

from locust import constant, events, task  # noqa: TID251
from locust.env import Environment  # noqa: TID251

from lab.wait import pause
from loadtests.site import SiteUser

MANNERS = ("answers", "answers-then-closes", "closes", "resets", "stops-halfway", "refuses", "redirects")


class Anybody(SiteUser):
    """Asks for a manner by its path."""

    wait_time = constant(1)

    @task
    def meet_all(self) -> None:
        """Reads and writes alike; `closes` makes the next connection fresh, `answers` makes it kept."""
        for method in ("GET", "POST"):
            for manner in MANNERS:
                for path in ("closes", manner, "answers", manner):
                    self.ask(method, f"/{path}", json={"token": "x"} if method == "POST" else None)
                    if path == "answers-then-closes":
                        pause(0.2)  # until the end of the connection has arrived
        assert self.environment.runner
        self.environment.runner.quit()


def save(environment: Environment, **_: Any) -> None:
    """Locust's own files are up to a second behind."""
    stats = environment.stats
    rows = [it.to_dict() for it in stats.entries.values()], [it.to_name() for it in stats.errors.values()]
    Path("statistics.json").write_text(json.dumps(rows), encoding="utf-8")


events.quitting.add_listener(save)
