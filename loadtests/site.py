"""Readers and writers of the site, with the pauses of people.

    locust -f loadtests/site.py                                        graphs: http://127.0.0.1:8089
    locust -f loadtests/site.py --headless -u 20 -r 5 -t 60s --html runs/load/site.html --csv runs/load/site
    locust -f loadtests/site.py --processes 2                          one generator a core; or on many machines:
    locust -f loadtests/site.py --master  and there  locust -f loadtests/site.py --worker --master-host MACHINE

Locust makes the folder of its reports. Git ignores runs/, and Locust's reports at the top of the checkout.
Requests go to the balancer's address from lab.yml, or to `--host http://ADDRESS` inside the lab's network.
One request is one attempt: nothing is ever sent again, no redirect is followed, no proxy is used.
At the end users finish the request they are in, so what the site saw is what the statistics count.

Exit codes: 0 at most 1 % of the requests failed; 1 more than that, or a user broke; 2 the host is not the
lab's; 3 the lab is not up, or went away during the run; 4 a headless run that recorded no request.
"""

from typing import Any

from locust import HttpUser, between, constant_pacing, events, task
from locust.clients import ResponseContextManager
from locust.env import Environment
from locust.exception import StopTest
from locust.runners import Runner, WorkerRunner

from lab.errors import LabError
from loadtests import content, startup
from loadtests.outcome import judge, reason
from loadtests.target_guard import CONNECT_S, READ_S, LabAdapter, TargetGuard

TOLERATED = 0.01


LAB = startup.lab()
GUARD = TargetGuard(LAB)


class SiteUser(HttpUser):
    """Somebody with a browser. HttpUser, not FastHttpUser: that one sends a GET again and counts it once."""

    abstract = True
    host: str = LAB.url.rstrip("/")

    def __init__(self, environment: Environment) -> None:
        self.host = self.host.rstrip("/")
        super().__init__(environment)  # type: ignore[no-untyped-call]  # Locust's own
        self._stop_if_lost()
        self.client.trust_env = False  # no http_proxy, no .netrc
        self.client.headers["Host"] = LAB.site
        self.client.adapters.clear()
        self.client.mount("http://", LabAdapter(LAB))

    def ask(self, method: str, path: str, name: str = "", json: Any = None) -> ResponseContextManager:
        """One request, judged and recorded."""
        self._stop_if_lost()
        answer: ResponseContextManager
        with self.client.request(
            method,
            path,
            name=name or path,
            json=json,
            timeout=(CONNECT_S, READ_S),
            allow_redirects=False,
            catch_response=True,
        ) as answer:
            outcome = judge(method, answer.status_code, answer.error)
            if outcome == "ok":
                answer.success()
            else:
                answer.failure(f"{outcome}: {reason(answer.status_code, answer.error)}")
        return answer

    def _stop_if_lost(self) -> None:
        refusal = GUARD.lost(self.host)
        if refusal:
            raise StopTest(str(refusal))


class Reader(SiteUser):
    """Reads the page, the list, and the oldest note of the last list: one that both servers have by then."""

    weight = 4
    wait_time = between(1, 3)
    token = ""

    @task(6)
    def page(self) -> None:
        """The page."""
        self.ask("GET", "/")

    @task(2)
    def notes(self) -> None:
        """The latest notes."""
        answer = self.ask("GET", "/api/notes")
        if answer.status_code == 200:
            self.token = next((note["token"] for note in reversed(answer.json()["notes"])), "")

    @task(2)
    def note(self) -> None:
        """One note; the list first, for whoever has not seen it."""
        if self.token:
            self.ask("GET", f"/api/notes/{self.token}", name="/api/notes/TOKEN")
        else:
            self.notes()


class Writer(SiteUser):
    """Leaves a note every five seconds, each under a token of its own."""

    weight = 1
    wait_time = constant_pacing(5)

    @task
    def leave_a_note(self) -> None:
        """A write, told apart from all others by its token."""
        token = content.new_token()
        self.ask("POST", "/api/notes", json={"token": token, "body": content.body(token)})


def offer(parser: Any, **_: Any) -> None:
    """What the browser's form holds and a command line may leave out."""
    parser.set_defaults(num_users=20, spawn_rate=5, **startup.OF_THIS_MACHINE)


def start(environment: Environment, runner: Runner, **_: Any) -> None:
    """Refuse to start without the lab; let users finish their request when they are stopped."""
    environment.stop_timeout = max(environment.stop_timeout, CONNECT_S + READ_S)
    try:
        GUARD.reach(_host(environment))
    except LabError as error:
        startup.refuse(environment, runner, error)


def finish(environment: Environment, **_: Any) -> None:
    """The exit code; a worker's own figures say nothing about the whole."""
    refusal = GUARD.lost(_host(environment))
    environment.process_exit_code = refusal.exit_code if refusal else _verdict(environment)


def _host(environment: Environment) -> str:
    return (environment.host or SiteUser.host).rstrip("/")


def _verdict(environment: Environment) -> int:
    runner, total = environment.runner, environment.stats.total
    if runner is None or isinstance(runner, WorkerRunner):
        return 0
    if runner.exceptions or total.fail_ratio > TOLERATED:
        return 1
    headless = environment.parsed_options is not None and environment.parsed_options.headless
    return 4 if headless and total.num_requests == 0 else 0


events.init_command_line_parser.add_listener(offer)
events.init.add_listener(start)
events.quitting.add_listener(finish)
