"""A server that may still take writes is powered off before another one opens."""

from lab import progress
from lab.nodes import vm_power
from lab.nodes.ssh import Machine
from lab.topology import Lab


def fence(lab: Lab, machine: Machine, dead: bool) -> str:
    """See to it that a server takes no writes; returns why it can't. `dead`: its MySQL does not run, for certain.

    Such a MySQL starts read-only, but a saved machine does not start: it goes on with the memory it had. Raises
    TimedOut where the machine is not seen to be off.
    """
    name, state = machine.node.name, vm_power.states(lab)[machine.node.name]
    if state in vm_power.OFF:
        return f"{name} is {state}"
    if dead and state == "running":
        return f"MySQL on {name} was not running, and starts read-only"
    progress.say(name, f"is powered off: it is {state}, and nobody knows whether it still takes writes")
    vm_power.make_off(lab, machine.node)
    machine.close()
    return f"{name} was powered off"
