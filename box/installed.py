"""The boxes on this machine: those of Vagrant, their kernels, and libvirt's copies of their images."""

import re
import shutil
from pathlib import Path

from box import image
from lab import process, progress

QUIET = {"VAGRANT_CHECKPOINT_DISABLE": "1"}
LIBVIRT = "qemu:///system"
HASH = re.compile(r"[0-9a-f]{12}")


def has(name: str) -> bool:
    """Whether the box is installed, with its kernel and initrd."""
    folder = image.kernel_folder(name)
    return (folder / "vmlinuz").is_file() and (folder / "initrd").is_file() and name in listed()


def listed() -> set[str]:
    """The names of all boxes that Vagrant has for libvirt."""
    output = process.run(["vagrant", "box", "list"], timeout=60, env=QUIET).output
    return set(re.findall(r"^(\S+)\s+\(libvirt,", output, re.MULTILINE))


def add(name: str, box: Path, boot: Path) -> None:
    """Add the box to Vagrant and copy its kernel for QEMU: both or neither."""
    progress.say("box", f"adding {name} to Vagrant")
    folder = image.kernel_folder(name)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        shutil.copytree(boot, folder)
        command = ["vagrant", "box", "add", "--force", "--provider", "libvirt", "--name", name, str(box)]
        process.run(command, timeout=300, env=QUIET)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def remove_older(kind: str, keep: str) -> None:
    """Remove the older boxes of this kind, unless a machine still uses them."""
    for name in sorted(older(listed(), kind, keep)):
        command = ["vagrant", "box", "remove", name, "--provider", "libvirt", "--all"]
        # Without --force, Vagrant refuses to remove a box that a machine uses, with exit 1.
        if process.run(command, timeout=60, env=QUIET, ok=(0, 1)).exit_code:
            progress.say("box", f"keeping {name}: it is older, but in use")
    wanted = listed() | _remove_images(kind, keep) | {keep}
    for name in sorted(older(_kernels(kind), kind, keep) - wanted):
        shutil.rmtree(image.kernel_folder(name))


def older(names: set[str], kind: str, keep: str) -> set[str]:
    """Those of `names` that are boxes of this kind, except `keep`."""
    return {n for n in names if n != keep and n.startswith(kind) and HASH.fullmatch(n.removeprefix(kind))}


def box_of(volume: str) -> str:
    """The name of the box from which vagrant-libvirt made this volume; for any other volume, its own name."""
    return volume.partition("_vagrant_box_image_")[0].replace("-VAGRANTSLASH-", "/")


def _kernels(kind: str) -> set[str]:
    flat = image.kernel_folder(kind).name
    return {kind + folder.name.removeprefix(flat) for folder in image.KERNELS.glob(f"{flat}*")}


def _remove_images(kind: str, keep: str) -> set[str]:
    """Remove libvirt's copies of older boxes; return the boxes whose copy stays because a machine's disk needs it."""
    stay = set()
    for pool in _virsh("pool-list", "--name").split():
        volumes = _volumes(pool)
        in_use = _backing_files(pool, volumes)
        for volume in volumes:
            if not older({box_of(volume)}, kind, keep):
                continue
            if volume in in_use:
                stay.add(box_of(volume))
            else:
                _virsh("vol-delete", "--pool", pool, volume)
    return stay


def _volumes(pool: str) -> list[str]:
    rows = _virsh("vol-list", "--pool", pool).splitlines()[2:]
    return [row.split()[0] for row in rows if row.strip()]


def _backing_files(pool: str, volumes: list[str]) -> set[str]:
    described = "".join(_virsh("vol-dumpxml", "--pool", pool, volume) for volume in volumes)
    paths = re.findall(r"<backingStore>\s*<path>([^<]+)</path>", described)
    return {Path(path).name for path in paths}


def _virsh(*command: str) -> str:
    """The output of virsh, or '' if libvirt does not answer."""
    if not shutil.which("virsh"):
        return ""
    done = process.run(["virsh", "--connect", LIBVIRT, *command], timeout=60, ok=(0, 1))
    return "" if done.exit_code else done.output
