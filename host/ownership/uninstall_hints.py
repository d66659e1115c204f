"""What stays on the hosting machine after lab.destroy --host, and the commands that remove it."""

import os
from collections.abc import Iterator
from pathlib import Path

from box.image import KERNELS
from host.names import IMAGES, POOL, PREFIX, STATE
from host.ownership.inventory import BOX_IMAGE
from host.ownership.uploads import LOCAL_BOXES, SLASH, boxes_folder

LOGS = Path("/var/log/libvirt/qemu")
OF_THE_CHECKOUT = (".venv", ".lab", ".vagrant", "runs", "backups")
PACKAGES = "the packages that bootstrap.sh installed (.lab/bootstrap.log lists them): apt-get remove PACKAGE..."
GROUP = "your membership in the group libvirt, if bootstrap.sh added you: gpasswd --delete $USER libvirt"
POOL_IS = (
    f"if the lab ran its own libvirtd: the definition of its storage pool, and the permissions of {IMAGES}: "
    f"rm /etc/libvirt/storage/{POOL}.xml; chown root:root {IMAGES}; chmod 755 {IMAGES}"
)
LAST = (PACKAGES, GROUP, POOL_IS)


def listed(checkout: Path, box: str) -> list[str]:
    """What stays, one line each with its size and the command that removes it; other projects may use `box` too."""
    return [*map(_line, _there(checkout)), *(f"{_line(it)} (if nothing else uses {box})" for it in _of_box(box)), *LAST]


def _of_box(box: str) -> Iterator[Path]:
    """The files that Vagrant and libvirt keep of a downloaded box."""
    name = box.replace("/", SLASH)
    if not name.startswith(LOCAL_BOXES):
        yield from sorted(boxes_folder().glob(name))
        yield from sorted(IMAGES.glob(f"{name}{BOX_IMAGE}*"))


def _there(checkout: Path) -> Iterator[Path]:
    yield from sorted(boxes_folder().glob(f"{LOCAL_BOXES}*"))
    yield from sorted(IMAGES.glob(f"{LOCAL_BOXES}*"))
    yield from sorted(KERNELS.glob("weblab-*"))
    yield from sorted(LOGS.glob(f"{PREFIX}*"))
    yield from (path for path in (STATE, *(checkout / name for name in OF_THE_CHECKOUT)) if path.exists())


def _line(path: Path) -> str:
    return f"{path}, {_bytes(path) / 2**20:.0f} MB: rm -r {path}"


def _bytes(path: Path) -> int:
    """The disk space that a file or folder uses."""
    inside = (Path(folder) / name for folder, _, names in os.walk(path) for name in names)
    return sum(it.lstat().st_blocks * 512 for it in ([path] if path.is_file() else inside))
