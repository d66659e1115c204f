"""spike.py in three seconds, with users who are always refused."""

from locust import constant, task  # noqa: TID251

from loadtests import spike
from loadtests.site import SiteUser
from loadtests.spike import Spike

__all__ = ["Spike"]

spike.PARTS = ((1, False), (2, True), (3, False))


class Refused(SiteUser):
    """Asks for what is refused."""

    wait_time = constant(0.2)

    @task
    def ask_in_vain(self) -> None:
        """A 503."""
        self.ask("GET", "/refuses")
