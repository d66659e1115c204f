"""A fresh minimal system with bootstrap's packages has the programs that the lab needs. Needs root, no machines."""

import os
import platform
import shlex
import time

import pytest

from box import mirrors, recipe
from lab import process, progress
from lab.topology import ROOT

MISSING = "missing-command"
NOT_THERE = "no-such-command-anywhere"
VENDORS = {"vagrant", "vagrant-libvirt"}  # Ubuntu has neither; see bootstrap.sh
# Programs that the code calls or the README names; the other ones it calls are part of every Debian and Ubuntu.
PROGRAMS = {
    *("curl", "dig", "ip", "iptables", "libvirtd", "make", "mke2fs", "mmdebstrap", "mount", "qemu-img"),
    *("qemu-system-x86_64", "ssh-keygen", "tini", "vagrant", "virsh", "virtlogd", "xz", "zstd"),
}
INSTALL_S = 600.0


def bootstraps_packages() -> set[str]:
    """The packages that bootstrap.sh installs."""
    lines = (ROOT / "host-packages/debian.txt").read_text(encoding="utf-8").splitlines()
    return {line.split()[0] for line in lines if not line.startswith("#")}


def missing_in_fresh_system(packages: set[str], programs: set[str]) -> set[str]:
    """Those of `programs` that are missing in a minimal system of this machine's release with `packages`."""
    host = platform.freedesktop_os_release()
    mirror = mirrors.find(recipe.BY_HOST[host["ID"], host["VERSION_ID"]]).archive
    names = shlex.join(sorted(programs))
    look = f'for name in {names}; do command -v "$name" >/dev/null || echo {MISSING} "$name"; done'
    components = "main,universe" if host["ID"] == "ubuntu" else "main"
    argv = ["mmdebstrap", "--mode=root", "--variant=minbase", "--format=null", "--dpkgopt=force-unsafe-io"]
    argv += [f"--include={','.join(sorted(packages))}", f"--components={components}"]
    argv += [f'--customize-hook=chroot "$1" sh -c {shlex.quote(look)}', host["VERSION_CODENAME"], "-", mirror]
    output = process.run(argv, timeout=INSTALL_S, env={"LC_ALL": "C.UTF-8", **mirrors.fetching().proxies}).output
    return {line.split()[1] for line in output.splitlines() if line.startswith(f"{MISSING} ")}


@pytest.mark.skipif(os.geteuid() != 0, reason="making a chroot needs root")
def test_bootstraps_packages_bring_their_programs() -> None:
    """None is missing except a program that does not exist, which proves that the test can find one missing."""
    left_out = VENDORS if platform.freedesktop_os_release()["ID"] == "ubuntu" else set()
    needed = PROGRAMS - left_out
    start = time.monotonic()
    assert missing_in_fresh_system(bootstraps_packages() - left_out, needed | {NOT_THERE}) == {NOT_THERE}
    progress.say("host", f"{len(needed)} programs looked up in a fresh system: {time.monotonic() - start:.0f} s")
