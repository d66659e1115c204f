"""Power off a server that may still take writes, before another one is opened."""

from lab import progress
from lab.nodes import vm_power
from lab.nodes.ssh import Machine
from lab.topology import Lab


def fence(lab: Lab, machine: Machine, dead: bool) -> str:
    """Make sure that a server takes no writes; return why it can't. `dead`: its MySQL certainly does not run.

    A dead MySQL starts read-only, but a saved machine does not start it: it resumes with the memory it had. Raises
    TimedOut if the machine is not seen to be off.
    """
    name, state = machine.node.name, vm_power.states(lab)[machine.node.name]
    if state in vm_power.OFF:
        return f"{name} is {state}"
    if dead and state == "running":
        return f"MySQL on {name} was not running, and starts read-only"
    progress.say(name, f"is powered off: it is {state}, and may still take writes")
    vm_power.make_off(lab, machine.node)
    machine.close()
    return f"{name} was powered off"
