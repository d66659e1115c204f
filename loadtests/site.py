"""Users who read and write on the site, with pauses like people.

    locust -f loadtests/site.py                                        graphs: http://127.0.0.1:8089
    locust -f loadtests/site.py --headless -u 20 -r 5 -t 60s --html runs/load/site.html --csv runs/load/site
    locust -f loadtests/site.py --processes 2                          one generator per core; or on several machines:
    locust -f loadtests/site.py --master  and there  locust -f loadtests/site.py --worker --master-host MACHINE

Locust makes the folder of its reports. Git ignores runs/, and Locust's reports at the top of the checkout.
Requests go to the balancer's address from lab.yml, or to `--host http://ADDRESS` inside the lab's network.
One request is one attempt: nothing is sent again, no redirect is followed, no proxy is used.
At the end each user finishes its current request, so the statistics count exactly what the site saw.

Exit codes: 0 at most 1 % of the requests failed; 1 more than that, or a user raised an exception; 2 the host is not
the lab's; 3 the lab is not up, or disappeared during the run; 4 a headless run recorded no request.
"""

from typing import Any

from locust import HttpUser, between, constant_pacing, events, task
from locust.clients import ResponseContextManager
from locust.env import Environment
from locust.exception import StopTest
from locust.runners import Runner, WorkerRunner

from lab.errors import LabError
from loadtests import content, startup
from loadtests.outcome import REFUSED, judge, reason
from loadtests.target_guard import CONNECT_S, READ_S, LabAdapter, TargetGuard

TOLERATED = 0.01


LAB = startup.lab()
GUARD = TargetGuard(LAB)


class SiteUser(HttpUser):
    """A user with a browser. HttpUser, not FastHttpUser, which sends a GET again and counts it once."""

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
        """Make one request, judge it and record it."""
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
                wrong = self.wrong(answer)
                answer.failure(wrong) if wrong else answer.success()
            else:
                refused = answer.headers.get(REFUSED, "") if answer.error is None else ""
                answer.failure(f"{outcome}: {reason(answer.status_code, answer.error, refused)}")
        return answer

    def wrong(self, answer: ResponseContextManager) -> str:
        """Why an answer with a good status is a failure all the same, or ''."""
        return ""

    def _stop_if_lost(self) -> None:
        refusal = GUARD.lost(self.host)
        if refusal:
            raise StopTest(str(refusal))


class Reader(SiteUser):
    """Reads the page, the list, and the oldest note of the last list, which both servers have by then."""

    weight = 4
    wait_time = between(1, 3)
    token = ""

    @task(6)
    def page(self) -> None:
        """Read the page."""
        self.ask("GET", "/")

    @task(2)
    def notes(self) -> None:
        """Read the latest notes."""
        answer = self.ask("GET", "/api/notes")
        if answer.status_code == 200:
            self.token = next((note["token"] for note in reversed(answer.json()["notes"])), "")

    @task(2)
    def note(self) -> None:
        """Read one note, or the list if this user has not read it yet."""
        if self.token:
            self.ask("GET", f"/api/notes/{self.token}", name="/api/notes/TOKEN")
        else:
            self.notes()


class Writer(SiteUser):
    """Leaves a note every five seconds, each with its own token."""

    weight = 1
    wait_time = constant_pacing(5)

    @task
    def leave_a_note(self) -> None:
        """Write a note with a unique token."""
        token = content.new_token()
        self.ask("POST", "/api/notes", json={"token": token, "body": content.body(token)})


def offer(parser: Any, **_: Any) -> None:
    """Set the defaults of the form on Locust's page and of the command line."""
    parser.set_defaults(num_users=20, spawn_rate=5, **startup.OF_THIS_MACHINE)


def start(environment: Environment, runner: Runner, **_: Any) -> None:
    """Refuse to start if the lab is not up; let users finish their request when they are stopped."""
    environment.stop_timeout = max(environment.stop_timeout, CONNECT_S + READ_S)
    try:
        GUARD.reach(_host(environment))
    except LabError as error:
        startup.refuse(environment, runner, error)


def finish(environment: Environment, **_: Any) -> None:
    """Set the exit code; a worker has only a part of the figures, so it ends with 0."""
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
