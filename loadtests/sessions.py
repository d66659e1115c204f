"""Visitors who come back, each with the cookies of a browser: a lost session is a failure in the graph.

    locust -f loadtests/sessions.py                                    graphs: http://127.0.0.1:8089
    locust -f loadtests/sessions.py --headless -u 20 -r 20 -t 60s

Each visitor comes every two seconds and counts the own visits in a PHP session (docs/balancer.md, Sessions). Run it
with `invoke lb.persistence none`, then with `cookie`, and stop nginx on one server meanwhile.

Exit codes: those of loadtests/site.py; a lost session counts as a failed request.
"""

from locust import constant_pacing, task
from locust.clients import ResponseContextManager

from loadtests.site import SiteUser

EVERY_S = 2


class Visitor(SiteUser):
    """Comes again and again, and keeps all cookies."""

    wait_time = constant_pacing(EVERY_S)

    @task
    def visit(self) -> None:
        """Count this visit."""
        self.ask("GET", "/api/visits")

    def wrong(self, answer: ResponseContextManager) -> str:
        """Why the counter is not the visitor's own."""
        return "lost: the server does not know the session" if answer.json()["session"] == "lost" else ""
