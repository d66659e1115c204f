"""What opcache, kept connections and fixed pools are worth: the same page with and without, in pairs in one run."""

import http.client
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab import progress, route
from lab.machine import Machine
from lab.topology import Lab
from tests.live.conftest import must

pytestmark = [pytest.mark.live, pytest.mark.slow]
PAIRS, SECONDS, CLIENTS = 5, 8.0, 8
PLAIN = r"""
sed -i -e 's/opcache.enable] = on/opcache.enable] = off/' \
       -e 's/^pm.max_children = .*/pm.max_children = 5/' \
       -e 's/^pm = static/pm = dynamic\npm.start_servers = 2\npm.min_spare_servers = 1\npm.max_spare_servers = 3/' \
    /etc/php/*/fpm/php-fpm.conf
sed -i 's/PDO::ATTR_PERSISTENT => \$keep/PDO::ATTR_PERSISTENT => false/' /var/www/site/database.php
systemctl restart 'php*-fpm'
"""


def pages_per_second(lab: Lab) -> float:
    """How many pages eight visitors get in eight seconds, each asking again as soon as it has one."""
    address = str(lab.having("balancer")[0].ip)
    route.guard(lab, address)
    end = time.monotonic() + SECONDS
    counts = [0] * CLIENTS

    def visit(number: int) -> None:
        connection = http.client.HTTPConnection(address, 80, timeout=10)
        while time.monotonic() < end:
            connection.request("GET", "/", headers={"Host": lab.site})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            counts[number] += 1

    visitors = [threading.Thread(target=visit, args=(number,)) for number in range(CLIENTS)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    return sum(counts) / SECONDS


@contextmanager
def plain(machines: dict[str, Machine]) -> Iterator[None]:
    """Both web servers as they would be without any of it, until the block ends."""
    for name in ("web1", "web2"):
        machines[name].script(PLAIN, timeout=120, title="is made plain")
    try:
        yield
    finally:
        must("lab.provision")


def test_the_tuned_page_is_twice_as_fast_as_the_plain_one(healthy: Lab, machines: dict[str, Machine]) -> None:
    """The median of five pairs; each half begins with a warm-up that does not count."""
    ratios = []
    for number in range(PAIRS):
        pages_per_second(healthy)
        tuned = pages_per_second(healthy)
        with plain(machines):
            pages_per_second(healthy)
            untuned = pages_per_second(healthy)
        ratios.append(tuned / untuned)
        progress.say("pair", f"{number + 1}: tuned {tuned:.1f}, plain {untuned:.1f} pages/s, ratio {ratios[-1]:.2f}")
    assert statistics.median(ratios) >= 2, ratios
