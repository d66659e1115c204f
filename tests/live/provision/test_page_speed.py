"""How much opcache, kept connections and fixed pools gain: the same page with and without them, in pairs."""

import http.client
import statistics
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab import progress
from lab.nodes import route
from lab.nodes.ssh import Machine, together
from lab.topology import Lab
from lab.wait import until
from tests.live.conftest import must, wrong

pytestmark = [pytest.mark.live, pytest.mark.slow]
PAIRS, CLIENTS, WARM_UP_S, MEASURE_S = 5, 4, 8.0, 15.0
POOL, CODE, BALANCER = "/etc/php/*/fpm/php-fpm.conf", "/var/www/site/database.php", "/etc/haproxy/haproxy.cfg"
RESTART = "systemctl restart 'php*-fpm.service'"
# Kept connections: from visitors to HAProxy, from HAProxy to nginx, and from PHP to MySQL.
PLAIN = {
    "web": f"""cp {POOL} /run/tuned-pool; cp {CODE} /run/tuned-code
sed -i -e 's/^pm = static/pm = dynamic\\npm.start_servers = 2\\npm.min_spare_servers = 1\\npm.max_spare_servers = 3/' \
    -e 's/^pm.max_children = .*/pm.max_children = 5/' -e 's/opcache.enable\\] = on/opcache.enable] = off/' {POOL}
sed -i 's/PDO::ATTR_PERSISTENT => $keep/PDO::ATTR_PERSISTENT => false/' {CODE}
grep -q 'opcache.enable. = off' {POOL} && grep -q 'PERSISTENT => false' {CODE} && {RESTART}""",
    "balancer": f"""cp {BALANCER} /run/tuned-balancer
sed -i 's/^    option httplog/&\\n    option httpclose/' {BALANCER}
grep -q httpclose {BALANCER} && systemctl reload haproxy""",
}
TUNED = {
    "web": f"cp /run/tuned-pool {POOL} && cp /run/tuned-code {CODE} && {RESTART}",
    "balancer": f"cp /run/tuned-balancer {BALANCER} && systemctl reload haproxy",
}


@pytest.fixture
def changed(healthy: Lab, machines: dict[str, Machine]) -> Iterator[list[Machine]]:
    """The nodes that the test changes; they are restored after it."""
    yield [machines[node.name] for node in healthy.nodes]
    must("lab.provision")


def pages_per_second(lab: Lab, seconds: float) -> float:
    """The pages per second that a few browsers get from the balancer; only complete pages count.

    Like browsers, they keep their connection for as long as HAProxy allows.
    """
    address = str(lab.having("balancer")[0].ip)
    route.guard(lab, address)
    end = time.monotonic() + seconds

    def ask(_: int) -> int:
        browser, good = http.client.HTTPConnection(address, timeout=10), 0
        while time.monotonic() < end:
            browser.request("GET", "/", headers={"Host": lab.site})
            answer = browser.getresponse()
            good += bool(answer.read()) and answer.status == 200
        browser.close()
        return good

    with ThreadPoolExecutor(CLIENTS) as pool:
        return sum(pool.map(ask, range(CLIENTS))) / seconds


def measured(lab: Lab, machines: list[Machine], changes: Mapping[str, str]) -> float:
    """The same after a change, when the lab is healthy again and has warmed up."""

    def change(machine: Machine) -> None:
        machine.script(
            next(it for role, it in changes.items() if role in machine.node.roles), timeout=60, title="changes it"
        )

    together(change, machines)
    until("the lab is healthy", lambda: not wrong(lab), 60, every=2)
    pages_per_second(lab, WARM_UP_S)
    return pages_per_second(lab, MEASURE_S)


def test_the_page_is_at_least_twice_as_fast_as_without_tuning(healthy: Lab, changed: list[Machine]) -> None:
    """Measured in pairs, so that the machine's noise affects both."""
    ratios = []
    for number in range(PAIRS):
        plain = measured(healthy, changed, PLAIN)
        tuned = measured(healthy, changed, TUNED)
        ratios.append(tuned / plain)
        progress.say(
            "site", f"pair {number + 1}: {plain:.1f} pages/s without, {tuned:.1f} with, {ratios[-1]:.1f} times"
        )
    assert statistics.median(ratios) >= 2, ratios
