"""Box images in libvirt's pool whose upload was cut off: Vagrant takes them for whole."""

import os
from collections.abc import Iterator
from pathlib import Path

from host.names import IMAGES, POOL
from host.ownership import inventory
from lab import progress

SLASH = "-VAGRANTSLASH-"  # Vagrant's word for it in the name of a box's folder
LOCAL_BOXES = f"weblab{SLASH}"


def remove_unfinished(box: str = "") -> None:
    """Remove the cut-off uploads of the lab's boxes, so that Vagrant sends them again."""
    for name in unfinished(boxes_folder(), IMAGES, box):
        progress.say("host", f"sweeps volume {name}: its upload was cut off")
        inventory.virsh("vol-delete", name, "--pool", POOL)


def unfinished(boxes: Path, images: Path, box: str) -> Iterator[str]:
    """Volumes smaller than the box image they are a copy of; only the lab's own boxes and `box`."""
    for image in sorted(boxes.glob("*/*/**/libvirt/**/box.img")):
        folder, version = image.relative_to(boxes).parts[:2]
        if version == "0":  # a box that was added from a file; Vagrant tells two of them apart by their time
            version = f"0_{int(image.stat().st_mtime)}"
        volume = images / f"{folder}_vagrant_box_image_{version}_box.img"
        ours = folder.startswith(LOCAL_BOXES) or folder == box.replace("/", SLASH)
        if ours and volume.exists() and volume.stat().st_size < image.stat().st_size:
            yield volume.name


def boxes_folder() -> Path:
    """Where Vagrant keeps its boxes."""
    return Path(os.environ.get("VAGRANT_HOME") or Path.home() / ".vagrant.d") / "boxes"
