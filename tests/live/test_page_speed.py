"""What opcache, kept connections and fixed pools are worth: the same page with and without them, in pairs."""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab import progress, site
from lab.machine import Machine, together
from lab.topology import Lab
from lab.wait import until
from tests.live.conftest import must, wrong

pytestmark = [pytest.mark.live, pytest.mark.slow]
PAIRS, CLIENTS, WARM_UP_S, MEASURE_S = 5, 4, 8.0, 15.0
POOL, CODE = "/etc/php/*/fpm/php-fpm.conf", "/var/www/site/database.php"
RESTART = "systemctl restart 'php*-fpm.service'"
PLAIN = f"""cp {POOL} /run/tuned-pool; cp {CODE} /run/tuned-code
sed -i -e 's/^pm = static/pm = dynamic\\npm.start_servers = 2\\npm.min_spare_servers = 1\\npm.max_spare_servers = 3/' \
    -e 's/^pm.max_children = .*/pm.max_children = 5/' -e 's/opcache.enable\\] = on/opcache.enable] = off/' {POOL}
sed -i 's/PDO::ATTR_PERSISTENT => $keep/PDO::ATTR_PERSISTENT => false/' {CODE}
grep -q 'opcache.enable. = off' {POOL} && grep -q 'PERSISTENT => false' {CODE} && {RESTART}"""
TUNED = f"cp /run/tuned-pool {POOL} && cp /run/tuned-code {CODE} && {RESTART}"


@pytest.fixture
def webs(healthy: Lab, machines: dict[str, Machine]) -> Iterator[list[Machine]]:
    """The web servers, as they were after the test."""
    yield [machines[node.name] for node in healthy.having("web")]
    must("lab.provision")


def pages_per_second(lab: Lab, seconds: float) -> float:
    """What the balancer delivers to a few clients that ask again and again; only whole pages count."""
    end = time.monotonic() + seconds

    def ask(_: int) -> int:
        good = 0
        while time.monotonic() < end:
            good += site.fetch(lab).status == 200
        return good

    with ThreadPoolExecutor(CLIENTS) as pool:
        return sum(pool.map(ask, range(CLIENTS))) / seconds


def measured(lab: Lab, webs: list[Machine], change: str) -> float:
    """The same after a change, once the lab is whole again and has warmed up."""
    together(lambda door: door.script(change, timeout=60, title="changes PHP"), webs)
    until("the lab is healthy", lambda: not wrong(lab), 60, every=2)
    pages_per_second(lab, WARM_UP_S)
    return pages_per_second(lab, MEASURE_S)


def test_the_page_is_at_least_twice_as_fast_as_without_tuning(healthy: Lab, webs: list[Machine]) -> None:
    """Measured in pairs: the machine's own noise hits both."""
    ratios = []
    for number in range(PAIRS):
        plain = measured(healthy, webs, PLAIN)
        tuned = measured(healthy, webs, TUNED)
        ratios.append(tuned / plain)
        progress.say(
            "site", f"pair {number + 1}: {plain:.1f} pages/s without, {tuned:.1f} with, {ratios[-1]:.1f} times"
        )
    assert statistics.median(ratios) >= 2, ratios
