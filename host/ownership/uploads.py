"""Box images in libvirt's pool whose upload was interrupted: Vagrant takes them for complete."""

import os
from collections.abc import Iterator
from pathlib import Path

from host.names import IMAGES, POOL
from host.ownership import inventory
from lab import progress

SLASH = "-VAGRANTSLASH-"  # Vagrant writes it for the slash in the folder name of a box
LOCAL_BOXES = f"weblab{SLASH}"


def remove_unfinished(box: str = "") -> None:
    """Remove incomplete uploads of the lab's boxes, so that Vagrant uploads them again."""
    for name in unfinished(boxes_folder(), IMAGES, box):
        progress.say("host", f"removing volume {name}: its upload was interrupted")
        inventory.virsh("vol-delete", name, "--pool", POOL)


def unfinished(boxes: Path, images: Path, box: str) -> Iterator[str]:
    """Volumes that are smaller than the box image they copy; only of the lab's own boxes and of `box`."""
    for image in sorted(boxes.glob("*/*/**/libvirt/**/box.img")):
        folder, version = image.relative_to(boxes).parts[:2]
        if version == "0":  # a box added from a file; vagrant-libvirt adds the image's time to tell two of them apart
            version = f"0_{int(image.stat().st_mtime)}"
        volume = images / f"{folder}_vagrant_box_image_{version}_box.img"
        ours = folder.startswith(LOCAL_BOXES) or folder == box.replace("/", SLASH)
        if ours and volume.exists() and volume.stat().st_size < image.stat().st_size:
            yield volume.name


def boxes_folder() -> Path:
    """Where Vagrant keeps its boxes."""
    return Path(os.environ.get("VAGRANT_HOME") or Path.home() / ".vagrant.d") / "boxes"
