"""The contents of a box, and the name that is derived from them."""

import hashlib
import platform
from dataclasses import dataclass
from pathlib import Path

from lab.errors import InfrastructureBroken

HERE = Path(__file__).parent
MADE_FROM = ("guest", "hooks", "Vagrantfile.template", "image.py", "mirrors.py", "recipe.py")
NAMESPACE = "weblab"
SERVERS = ("dnsmasq", "haproxy", "mysql-server", "nginx", "php-fpm", "php-mysql", "socat")
SYSTEM = (
    "busybox-static",  # the shell and tools of the initrd
    "ca-certificates",
    "cpio",
    "curl",
    "dbus",  # for systemctl without sudo and networkctl reload; costs a fifth of a second of the boot
    "iproute2",
    "kmod",
    "libnss-myhostname",  # sudo resolves the machine's own name; without this package it asks a name server
    "netbase",
    "nftables",
    "openssh-server",
    "procps",
    "sudo",
    "systemd",
    "systemd-sysv",
    "udev",
)


@dataclass(frozen=True)
class Release:
    """A release of a distribution from which boxes can be built."""

    family: str
    version: str
    codename: str
    components: str
    kernel: tuple[str, ...]
    keyring: str
    known_by: str  # a file that shows that the keyring package is new enough for the release

    @property
    def label(self) -> str:
        """The name of the release within a box's name."""
        return f"{self.family}-{self.version}"


TRIXIE = Release(
    family="debian",
    version="13",
    codename="trixie",
    components="main",
    kernel=("linux-image-cloud-amd64",),
    keyring="/usr/share/keyrings/debian-archive-keyring.gpg",
    known_by="/usr/share/keyrings/debian-archive-trixie-stable.*",
)


def _ubuntu(version: str, codename: str, kernel: tuple[str, ...]) -> Release:
    keyring = "/usr/share/keyrings/ubuntu-archive-keyring.gpg"
    return Release("ubuntu", version, codename, "main universe", kernel, keyring, keyring)


# Ubuntu 24.04 has the kernel's network emulator (netem) in the 'extra' modules.
NOBLE = _ubuntu("24.04", "noble", ("linux-image-virtual", "linux-image-extra-virtual"))
RESOLUTE = _ubuntu("26.04", "resolute", ("linux-image-virtual",))

BY_HOST = {
    ("debian", "12"): TRIXIE,
    ("debian", "13"): TRIXIE,
    ("ubuntu", "24.04"): NOBLE,
    ("ubuntu", "26.04"): RESOLUTE,
}


@dataclass(frozen=True)
class Recipe:
    """One box: a release, with the servers installed, or plain."""

    release: Release
    plain: bool

    @property
    def packages(self) -> tuple[str, ...]:
        """Every package that is requested by name."""
        return (*SYSTEM, *self.release.kernel, *(() if self.plain else SERVERS))

    @property
    def kind(self) -> str:
        """The box's name up to the hash."""
        return f"{NAMESPACE}/{self.release.label}{'-plain' if self.plain else ''}-"

    @property
    def name(self) -> str:
        """The box's name; it changes with anything from which the box is built."""
        return self.kind + fingerprint(HERE, repr(self))


def fingerprint(folder: Path, options: str) -> str:
    """Twelve hex digits of a hash over the options and every recipe file below `folder`."""
    digest = hashlib.sha256(options.encode())
    for entry in MADE_FROM:
        top = folder / entry
        for file in sorted(path for path in (top, *top.rglob("*")) if path.is_file()):
            digest.update(f"\0{file.relative_to(folder).as_posix()}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def for_host(*, plain: bool) -> Recipe:
    """The recipe for this machine's distribution; raises InfrastructureBroken if there is none."""
    return Recipe(release_of(platform.freedesktop_os_release()), plain)


def release_of(os_release: dict[str, str]) -> Release:
    """The release to build on a host with this `os_release`."""
    release = BY_HOST.get((os_release.get("ID", ""), os_release.get("VERSION_ID", "")))
    if release is None:
        found = os_release.get("PRETTY_NAME", "an unknown system")
        hint = "use a box from a catalogue: invoke lab.up --box NAME"
        built_on = "Debian 12, 13 or Ubuntu 24.04, 26.04"
        raise InfrastructureBroken(f"host: boxes are built on {built_on}; this is {found}", hint=hint)
    return release
