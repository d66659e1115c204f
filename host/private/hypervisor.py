"""The private hypervisor: a libvirtd in its own network namespace, for a machine whose system runs none."""

import shutil
from collections.abc import Sequence
from ipaddress import IPv4Network

from host import permissions, processes
from host.names import IMAGES, LIBVIRT_URI, POOL, PROBE_NETWORK, RUN
from host.private import daemons, namespace
from lab import process, progress

VIRSH_TIMEOUT_S = 30.0
PROBE_XML = f"<network><name>{PROBE_NETWORK}</name><bridge name='{PROBE_NETWORK}'/></network>"


def running() -> bool:
    """Whether the private hypervisor runs and answers."""
    return daemons.alive() and daemons.answers()


def start(networks: Sequence[IPv4Network]) -> None:
    """Start the private hypervisor for the lab's `networks`; keeps what runs, repairs what is incomplete."""
    stray = daemons.strays()
    if stray:
        progress.say("host", f"ending {len(stray)} processes of a private hypervisor whose namespace is gone")
        processes.end(stray)
    fresh = not daemons.alive()
    if fresh:
        progress.say("host", "starting the private hypervisor (libvirtd in the network namespace weblab)")
    namespace.make(networks)
    daemons.start()
    if fresh:
        _let_libvirt_make_its_rules()
    namespace.prefer_our_rules()
    _ensure_pool()


def stop() -> None:
    """Remove processes, namespace, routes and address translation; the last-resort routes last."""
    processes.end(daemons.everything())
    namespace.remove()
    shutil.rmtree(RUN, ignore_errors=True)
    namespace.unguard()


def _let_libvirt_make_its_rules() -> None:
    """Create and remove a network: with the first network, and only then, libvirt inserts its reject rules."""
    network = RUN / "probe.xml"
    RUN.mkdir(parents=True, exist_ok=True)
    network.write_text(PROBE_XML)
    _virsh("net-create", str(network), ok=(0, 1))
    _virsh("net-destroy", PROBE_NETWORK, ok=(0, 1))
    network.unlink()


def _ensure_pool() -> None:
    """Create and start the pool in which Vagrant keeps boxes and disks."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    permissions.close_images()
    if f" {POOL} " not in _virsh("pool-list", "--all"):
        _virsh("pool-define-as", POOL, "dir", "--target", str(IMAGES))
    if f" {POOL} " not in _virsh("pool-list"):
        _virsh("pool-start", POOL)


def _virsh(*words: str, ok: tuple[int, ...] = (0,)) -> str:
    return process.run(["virsh", "-c", LIBVIRT_URI, *words], timeout=VIRSH_TIMEOUT_S, ok=ok).output
