"""The local box: its name, whether it can be built on this machine, and how Vagrant gets it."""

import glob
import os
import platform
import shutil
from pathlib import Path

from box import image, installed, mirrors, recipe
from box.recipe import Recipe
from lab import progress
from lab.errors import InfrastructureBroken, LabError

NEEDED_GB = 4
SECRET_FILES = ("disk.raw", "box.img", "package.box")  # they hold the ssh key of every machine and MySQL's keys
PROGRAMS = {
    "apt-get": "apt",
    "mke2fs": "e2fsprogs",
    "mmdebstrap": "mmdebstrap",
    "qemu-img": "qemu-utils",
    "ssh-keygen": "openssh-client",
    "vagrant": "vagrant",
    "xz": "xz-utils",
    "zstd": "zstd",
}


def name(*, plain: bool = False) -> str:
    """The name of the box that this checkout builds on this machine; the same input gives the same name."""
    return recipe.for_host(plain=plain).name


def ensure(*, plain: bool = False) -> str:
    """Make sure that Vagrant has the box, and return its name; builds it only if it is not there."""
    cached = in_cache(plain=plain)
    if cached:
        return cached
    wanted, reason = recipe.for_host(plain=plain), can_build()
    if reason:
        hint = "install what is missing, or use a box from a catalogue: invoke lab.up --box NAME"
        raise InfrastructureBroken(f"host: the local box cannot be built: {reason}", hint=hint)
    with progress.stage("box"):
        _build(wanted)
    return wanted.name


def in_cache(*, plain: bool = False) -> str:
    """The box's name where Vagrant has it, which is said; '' where it is still to be built."""
    wanted = name(plain=plain)
    if not installed.has(wanted):
        return ""
    progress.say("box", f"box in cache: {wanted}")
    return wanted


def _build(wanted: Recipe) -> None:
    progress.say("box", f"building {wanted.name}")
    with image.workspace() as work:
        create_secret_files(work)
        package = image.build(wanted, work)
        installed.add(wanted.name, package, work / "boot")
    installed.remove_older(wanted.kind, wanted.name)
    progress.say("box", f"{wanted.name} is ready")


def create_secret_files(work: Path) -> None:
    """Create the files that will hold a box's private keys, readable by their owner only, before they are written.

    The archive keeps the mode of the disk, so it also holds in Vagrant's folder.
    """
    for name in SECRET_FILES:
        (work / name).touch(mode=0o600)


def can_build() -> str | None:
    """Why no box can be built on this machine, as text; None if one can."""
    try:
        release = recipe.for_host(plain=False).release
    except LabError as error:
        return error.what
    reasons = [*_machine_problems(), *_keyring_problems(release)]
    if not reasons:
        # Checked last: it may have to fetch apt's lists.
        reasons = list(filter(None, [mirrors.problem(release)]))
    return "; ".join(reasons) or None


def _machine_problems() -> list[str]:
    reasons = []
    if platform.machine() != "x86_64":
        reasons.append(f"boxes are for x86_64, this is {platform.machine()}")
    if os.geteuid() != 0:
        reasons.append("not root")
    for program, package in PROGRAMS.items():
        if not shutil.which(program):
            reasons.append(f"{program} is missing (package {package})")
    free = shutil.disk_usage(image.STATE.parent).free / 2**30
    if free < NEEDED_GB:
        reasons.append(f"{image.STATE.parent} has {free:.1f} GB free, {NEEDED_GB} are needed")
    return reasons


def _keyring_problems(release: recipe.Release) -> list[str]:
    if glob.glob(release.known_by):
        return []
    package = f"{release.family}-archive-keyring" if release.family == "debian" else "ubuntu-keyring"
    return [f"the archive keys of {release.codename} are missing (upgrade the package {package})"]
