"""A fresh minimal system with bootstrap's packages has every command that the code calls. Needs root, no machines."""

import os
import platform
import shlex
import time

import pytest

from box import mirrors, recipe
from lab import process, progress
from tests.commands import table

MISSING = "missing-command"
NOT_THERE = "no-such-command-anywhere"
VENDORS = {"vagrant", "vagrant-libvirt"}  # Ubuntu has neither; see bootstrap.sh
INSTALL_S = 600.0


def missing_in_fresh_system(packages: list[str], commands: list[str]) -> set[str]:
    """Those of `commands` that a minimal system of this machine's own release with `packages` does not have."""
    host = platform.freedesktop_os_release()
    mirror = mirrors.find(recipe.BY_HOST[host["ID"], host["VERSION_ID"]]).archive
    look = f'for name in {shlex.join(commands)}; do command -v "$name" >/dev/null || echo {MISSING} "$name"; done'
    components = "main,universe" if host["ID"] == "ubuntu" else "main"
    argv = ["mmdebstrap", "--mode=root", "--variant=minbase", "--format=null", "--dpkgopt=force-unsafe-io"]
    argv += [f"--include={','.join(packages)}", f"--components={components}"]
    argv += [f'--customize-hook=chroot "$1" sh -c {shlex.quote(look)}', host["VERSION_CODENAME"], "-", mirror]
    output = process.run(argv, timeout=INSTALL_S, env={"LC_ALL": "C.UTF-8", **mirrors.fetching().proxies}).output
    return {line.split()[1] for line in output.splitlines() if line.startswith(f"{MISSING} ")}


@pytest.mark.skipif(os.geteuid() != 0, reason="making a chroot needs root")
def test_bootstraps_packages_bring_every_command_that_the_code_calls() -> None:
    """Nothing is missing but a command that exists nowhere, which shows that the question can be answered no."""
    family = platform.freedesktop_os_release()["ID"]
    left_out = {"optional", *(VENDORS if family == "ubuntu" else ())}
    needed = table.called() - {name for name, package in table.declared().items() if package in left_out}
    packages = [name for name in table.packages() if name not in left_out]
    start = time.monotonic()
    assert missing_in_fresh_system(packages, [*sorted(needed), NOT_THERE]) == {NOT_THERE}
    progress.say("host", f"{len(needed)} commands looked up in a fresh system: {time.monotonic() - start:.0f} s")
