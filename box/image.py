"""Builds a box file from packages: a directory tree, a file system, a qcow2 image, an archive."""

import json
import shlex
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template

from box import mirrors
from box.recipe import HERE, Recipe
from lab import process, progress
from lab.errors import Locked

STATE = Path("/var/lib/weblab")
KERNELS = Path("/var/lib/libvirt/boot")
DISK_GB = 8
OWNER_ONLY = 0o700
# No boot loader: QEMU starts the kernel, and the initrd mounts the only disk.
# cryptomgr.notests: the kernel's self-tests of its ciphers are a quarter of an emulated boot's instructions. Clearing
# every page (init_on_alloc) and auditing cost less.
# norandmaps: QEMU translates a program again whenever it starts at another address: that took 2 to 3 times as long as
# the program itself.
# clearcpuid=cx16: QEMU before 8.0 emulates cmpxchg16b with stale flags: a kernel whose allocator uses it panics
# occasionally.
CMD_LINE = (
    "console=ttyS0 quiet root=/dev/vda rw net.ifnames=0"
    " mitigations=off cryptomgr.notests init_on_alloc=0 audit=0 norandmaps clearcpuid=cx16"
)
MIRROR_HINT = "check that the mirror answers (apt-get update), then run the same command again"


@contextmanager
def workspace() -> Iterator[Path]:
    """A work folder that is removed at the end, also after an error; only one build can run at a time.

    Only root may enter it: the guest's files in it belong to the guest's users, and users of this machine have the
    same numbers. The first user of most machines is 1000, like the guest's first user, who is root there by sudo.
    apt's own user cannot enter the folder, so mmdebstrap lets apt fetch as root. Set with --aptopt instead, that would
    also hold in the guest.
    """
    import fcntl

    STATE.mkdir(parents=True, exist_ok=True)
    with open(STATE / "box.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Locked("another command on this machine builds a box", hint="wait until it has ended") from error
        work = STATE / "box-build"
        if work.is_dir():  # left by a killed build; closed first, so that no user adds files while it is removed
            work.chmod(OWNER_ONLY)
        _remove(work)
        work.mkdir(mode=OWNER_ONLY)
        try:
            yield work
        finally:
            _remove(work)


def _remove(folder: Path) -> None:
    # --one-file-system: if a killed build left a mount in the tree, the files of that mount must not be removed.
    process.run(["rm", "-rf", "--one-file-system", str(folder)], timeout=120)


def kernel_folder(name: str) -> Path:
    """The folder with the kernel and initrd of a box, where QEMU's user can read them."""
    return KERNELS / name.replace("/", "-")


def build(recipe: Recipe, work: Path) -> Path:
    """Build the box file; kernel and initrd are put into the folder `boot` beside it."""
    key = work / "vagrant_private_key"
    comment = ["-C", "vagrant"]
    process.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", *comment, "-f", str(key)], timeout=30)
    tree = _install(recipe, work, key.with_suffix(".pub"))
    disk = _disk(work, tree)
    _remove(tree)
    return _archive(recipe, work, disk, key)


def _install(recipe: Recipe, work: Path, public_key: Path) -> Path:
    """Install the packages into a directory tree, and remove from it what two machines must not share."""
    tree, boot, hooks, release = work / "tree", work / "boot", HERE / "hooks", recipe.release
    boot.mkdir()
    how = mirrors.fetching()
    sources, overlays = _sources(recipe, work), _overlays(recipe, work, how)
    progress.say("box", f"installing {release.label}, {len(recipe.packages)} packages and their dependencies")
    process.run(
        [
            "mmdebstrap",
            "--mode=root",
            "--variant=apt",
            "--skip=cleanup/apt",
            f"--include={','.join(recipe.packages)}",
            f"--components={release.components.replace(' ', ',')}",
            "--dpkgopt=force-unsafe-io",
            *(f"--dpkgopt={line}" for line in _left_out()),
            _hook("setup", hooks / "setup.sh", *overlays),
            _hook("customize", hooks / "customize.sh", public_key),
            _hook("customize", hooks / "seal.sh", boot, "keep-lists" if recipe.plain else "drop-lists"),
            release.codename,
            str(tree),
            str(sources),
        ],
        timeout=900,
        env={"LC_ALL": "C.UTF-8", **how.proxies},
        hint=MIRROR_HINT,
    )
    return tree


def _sources(recipe: Recipe, work: Path) -> Path:
    """Write the guest's apt sources to a file; it has the same name in the guest."""
    file = work / "weblab.sources"
    file.write_text(mirrors.sources(recipe.release, mirrors.find(recipe.release)))
    return file


def _overlays(recipe: Recipe, work: Path, how: mirrors.Fetching) -> list[Path]:
    """The folders whose files are copied over the guest's."""
    settings = work / "settings"
    folder = settings / "etc/apt/apt.conf.d"
    folder.mkdir(parents=True)
    (folder / "91host").write_text(mirrors.guest_settings(how))
    guest = HERE / "guest"
    return [*filter(Path.is_dir, [guest / "common", guest / recipe.release.family]), settings]


def _left_out() -> list[str]:
    """The path rules of the guest's dpkg configuration: dpkg cannot read it there for the first packages."""
    rules = (HERE / "guest/common/etc/dpkg/dpkg.cfg.d/weblab").read_text().splitlines()
    return [rule for rule in rules if rule.startswith("path-")]


def _hook(stage: str, script: Path, *arguments: Path | str) -> str:
    rest = shlex.join(map(str, arguments))
    return f'--{stage}-hook={shlex.quote(str(script))} "$1" {rest}'


def _disk(work: Path, tree: Path) -> Path:
    """Make a disk image of the tree, without partitions and without mounting anything."""
    progress.say("box", "making the disk image")
    raw, disk = work / "disk.raw", work / "box.img"
    raw.touch()
    with raw.open("r+b") as file:
        file.truncate(DISK_GB * 2**30)
    # Initialise everything now: otherwise the guest's kernel does it in its first minutes, while the lab measures.
    now = "lazy_itable_init=0,lazy_journal_init=0"
    process.run(["mke2fs", "-q", "-t", "ext4", "-E", now, "-d", str(tree), str(raw)], timeout=300)
    process.run(["qemu-img", "convert", "-O", "qcow2", str(raw), str(disk)], timeout=300)
    raw.unlink()
    return disk


def _archive(recipe: Recipe, work: Path, disk: Path, key: Path) -> Path:
    """Pack image, key and the box's Vagrantfile in Vagrant's box format."""
    progress.say("box", f"packing the box, {disk.stat().st_size // 2**20} MB")
    metadata = {"provider": "libvirt", "format": "qcow2", "virtual_size": DISK_GB}
    (work / "metadata.json").write_text(json.dumps(metadata))
    template = Template((HERE / "Vagrantfile.template").read_text())
    vagrantfile = template.substitute(boot=kernel_folder(recipe.name), cmd_line=CMD_LINE)
    (work / "Vagrantfile").write_text(vagrantfile)
    box = work / "package.box"
    with tarfile.open(box, "w") as archive:
        for name in ("metadata.json", "Vagrantfile", key.name, disk.name):
            archive.add(work / name, arcname=name)
    disk.unlink()
    return box
