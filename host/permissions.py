"""What the lab keeps from other users of this machine: libvirt's sockets, disk images, the checkout's state."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from host.names import IMAGES
from lab import progress

SOCKETS = Path("/run/libvirt")
OF_DAEMONS = ("libvirt-sock", "libvirt-sock-ro", "libvirt-admin-sock", "virtlogd-sock", "virtlogd-admin-sock")
QEMU_USER = "libvirt-qemu"  # and its group
OWNER_ONLY = 0o700
OWNER_AND_QEMU = 0o710  # QEMU opens its images by their paths, and lists nothing


def close_sockets(folder: Path = SOCKETS) -> None:
    """Close the daemons' sockets to all but their owner, also those of a daemon with an older configuration.

    The kernel checks the mode at each connect, so the daemon and its machines run on.
    """
    loose = [path for name in OF_DAEMONS if _is_open_socket(path := folder / name)]
    for path in loose:
        path.chmod(OWNER_ONLY)
    if loose:
        progress.say("host", f"closes to other users: {', '.join(map(str, loose))}")


def close_images(folder: Path = IMAGES) -> None:
    """Close the disk images to all but root and QEMU: vagrant-libvirt makes those of boxes readable for everyone."""
    group = _qemus_group()
    if group is not None:  # another distribution's QEMU user is not known: the folder stays as it is
        os.chown(folder, -1, group)
        folder.chmod(OWNER_AND_QEMU)


def close_state(folder: Path) -> None:
    """Close a checkout's state to other users: who can open a lock file can also hold it."""
    folder.mkdir(exist_ok=True)
    with suppress(PermissionError):  # another user's checkout
        folder.chmod(OWNER_ONLY)


def _is_open_socket(path: Path) -> bool:
    mode = path.lstat().st_mode if path.exists() else 0
    return stat.S_ISSOCK(mode) and bool(mode & 0o077)


def _qemus_group() -> int | None:
    """The group of QEMU's user alone: its primary one can be kvm, which people join."""
    import grp
    import pwd

    try:
        group, user = grp.getgrnam(QEMU_USER).gr_gid, pwd.getpwnam(QEMU_USER)
    except KeyError:
        return None
    return group if group in os.getgrouplist(QEMU_USER, user.pw_gid) else None
