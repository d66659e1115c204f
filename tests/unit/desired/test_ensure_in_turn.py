"""What serves nobody while it is changed: one node after the other."""

from concurrent.futures import ThreadPoolExecutor
from typing import cast

from lab.desired.ensure import Command, Difference, apply
from lab.nodes.ssh import Answer, Machine
from lab.wait import pause


class Busy:
    """A node on which nothing happens, but some of it takes a while; how many did that at once."""

    now, most, done = 0, 0, 0

    def script(self, text: str, **_: object) -> Answer:
        """Only the command itself counts."""
        if text == "restart":
            Busy.now += 1
            Busy.most = max(Busy.most, Busy.now)
            pause(0.05)
            Busy.now, Busy.done = Busy.now - 1, Busy.done + 1
        return Answer(0, "", "")


def test_what_serves_nobody_meanwhile_happens_on_one_node_after_the_other() -> None:
    """The others serve."""
    due = Difference(commands=(Command("restarts", "false", "restart", in_turn=True),))
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: apply(cast(Machine, Busy()), due), range(3)))
    assert (Busy.most, Busy.done) == (1, 3)
