"""The hosting machine before lab.up and after lab.destroy: provider, leftovers, hypervisor, box."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network
from typing import Any, get_args

from box import choose as boxes
from host import permissions, preflight, provider
from host.emulator import emulator_path, processor
from host.ownership import inventory, leftovers
from host.preflight import Finding
from host.private import hypervisor, namespace
from host.provider import Provider
from lab import progress
from lab.errors import BadInput, InfrastructureBroken, LabError, did_you_mean
from lab.nodes import lifecycle, vm_power
from lab.state import choices
from lab.state.choices import ProviderName
from lab.topology import ROOT, Lab

PROVIDERS = get_args(ProviderName)


def prepare(lab: Lab, *, box: str = "", provider: str = "") -> None:
    """Prepare this machine to boot the lab, and save provider, accelerator and box for the Vagrantfile.

    `box` and `provider` are saved as choices.
    Raises BadInput if there is no such provider, InfrastructureBroken that names everything that prevents it.
    """
    if provider and provider not in PROVIDERS:
        what = f"--provider can't be {provider!r}; {did_you_mean(provider, PROVIDERS)}"
        raise BadInput(what, hint="invoke lab.up (it takes what this machine has)")
    permissions.close_state(vm_power.FOUND.parent)
    wanted = {key: value for key, value in {"box": box, "provider": provider}.items() if value}
    if wanted:
        choices.save(**wanted)
    chosen = choices.load()
    using = _provider(chosen.provider)
    _refuse(preflight.addresses_of(lab, inventory.take(), using.name))  # before a route is set
    _take_over(lab, using, (lab.network, lab.management))
    _refuse(preflight.check(lab, provider=using.name))
    emulated = using.driver == "qemu"
    its_box = boxes.choose(lab, using.name, emulated=emulated, wanted=chosen.box)
    found: dict[str, Any] = {"provider": using.name, "driver": using.driver, "box": its_box.name}
    if emulated:
        found |= {"emulator": emulator_path(), **processor(its_box.name, _made(lab))}
    vm_power.save_found(found)


def booted() -> None:
    """Set what can only be set when the machines have made their networks."""
    namespace.forward_at_once()


def remove(lab: Lab, *, host: bool) -> None:
    """Remove the lab's machines, disks and networks; with `host` the private hypervisor too.

    Raises InfrastructureBroken that names what could not be removed.
    """
    using = _provider(choices.load().provider)
    _take_over(lab, using, preflight.free_ranges(lab, inventory.take()) if using.private else ())
    lifecycle.destroy()
    if using.name == "libvirt":
        leftovers.clear()
        leftovers.release(ROOT)
        left = leftovers.verify_gone()
        if left:
            raise InfrastructureBroken(
                "parts of the lab are still there", evidence="\n".join(left), hint="run it again: invoke lab.destroy"
            )
    vm_power.FOUND.unlink(missing_ok=True)
    if host and using.private:
        hypervisor.stop()


def examine(lab: Lab) -> list[Finding]:
    """All findings about this machine, for lab.doctor."""
    try:
        using = _provider(choices.load().provider)
    except LabError as error:
        return [Finding("provider", False, error.what, error.hint)]
    return preflight.check(lab, provider=using.name)


def _made(lab: Lab) -> dict[str, Any]:
    """What was found out about this host when the lab's machines were made; nothing where there are none."""
    known = vm_power.found() if vm_power.FOUND.exists() else {}
    made = known.get("provider") == "libvirt" and set(vm_power.states(lab).values()) != {"absent"}
    return known if made else {}


def _take_over(lab: Lab, using: Provider, networks: Sequence[IPv4Network]) -> None:
    if using.private:
        hypervisor.start(networks)
    if using.name == "libvirt":
        leftovers.take_over(ROOT, lab.nodes, lab.box.name)


def _provider(wanted: str) -> Provider:
    using = provider.choose(wanted)
    progress.say("host", f"{using.name}, {using.driver}: {using.why}")
    return using


def _refuse(findings: Iterable[Finding]) -> None:
    failed = [it for it in findings if not it.ok]
    if failed:
        evidence = "\n".join(f"- {it.name}: {it.text}; {it.fix}" for it in failed)
        raise InfrastructureBroken("this machine is not ready for the lab", evidence=evidence, hint="invoke lab.doctor")
