"""Permissions against other users of this machine: libvirt's sockets, disk images, the checkout's state."""

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
OWNER_AND_QEMU = 0o710  # QEMU opens its images by their paths and need not list the folder


def close_sockets(folder: Path = SOCKETS) -> None:
    """Allow only the owner to connect to the daemons' sockets, also if a daemon runs with an older configuration.

    The kernel checks the mode at each connect, so the daemon and its machines keep running.
    """
    loose = [path for name in OF_DAEMONS if _is_open_socket(path := folder / name)]
    for path in loose:
        path.chmod(OWNER_ONLY)
    if loose:
        progress.say("host", f"closing to other users: {', '.join(map(str, loose))}")


def close_images(folder: Path = IMAGES) -> None:
    """Allow only root and QEMU to read the disk images: vagrant-libvirt makes box images readable for everyone."""
    group = _qemus_group()
    if group is not None:  # other distributions name QEMU's user differently: there the folder is left as it is
        os.chown(folder, -1, group)
        folder.chmod(OWNER_AND_QEMU)


def close_state(folder: Path) -> None:
    """Close a checkout's state to other users: a user who can open a lock file can also hold the lock."""
    folder.mkdir(exist_ok=True)
    with suppress(PermissionError):  # another user's checkout
        folder.chmod(OWNER_ONLY)


def _is_open_socket(path: Path) -> bool:
    mode = path.lstat().st_mode if path.exists() else 0
    return stat.S_ISSOCK(mode) and bool(mode & 0o077)


def _qemus_group() -> int | None:
    """The group named like QEMU's user; its primary group can be kvm, which ordinary users join too."""
    import grp
    import pwd

    try:
        group, user = grp.getgrnam(QEMU_USER).gr_gid, pwd.getpwnam(QEMU_USER)
    except KeyError:
        return None
    return group if group in os.getgrouplist(QEMU_USER, user.pw_gid) else None
