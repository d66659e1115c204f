"""Solves exercise 03 as a student would: with an experiment that kills Nginx, and its report."""

from collections.abc import Mapping

from lab.exercises.outages import outages
from lab.exercises.solving import Bench, Step

RAN = (0, 1, 4)  # a run that fails or is inconclusive was recorded all the same


def kill(bench: Bench) -> Mapping[str, str]:
    """Run the experiment of the last web server."""
    bench.invoke(f"experiment.run {bench.lab.having('web')[-1].name}-nginx-kill", ok=RAN)
    return {}


def read(bench: Bench) -> Mapping[str, str]:
    """Read both numbers from the run."""
    it = next((it for it in outages(bench.look()) if it.run), None)
    return {"failed": str(it.failed), "noticed": f"{it.noticed_s:.1f}"} if it else {}


def why(bench: Bench) -> Mapping[str, str]:
    """What the settings of HAProxy say."""
    return {"why": "retry"}


STEPS = (
    Step(
        "Kill Nginx on web2 under load and heal it again: an experiment does both in time, and records every request.",
        "invoke experiment.run web2-nginx-kill",
        kill,
    ),
    Step(
        "Read how many reads failed and when HAProxy took web2 out: both stand in the report of the run.",
        "invoke experiment.report latest",
        read,
    ),
    Step(
        "Look for what HAProxy does with a read whose connection is refused: `retries` and `option redispatch` send it "
        "to the other server. The health check comes later, and only spares the next reads the detour.",
        'invoke lab.exec lb1 "grep -E retries\\|redispatch /etc/haproxy/haproxy.cfg"',
        why,
    ),
)
