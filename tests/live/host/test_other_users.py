"""Another user of the hosting machine cannot access anything of the lab. Tries the real files and sockets."""

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from box import image
from host.names import IMAGES, LIBVIRT_URI, NAMESPACE, PREFIX, RUN, STATE
from host.private import hypervisor
from lab.topology import ROOT, Lab

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user"),
]

NOBODY, FIRST_USER = 65534, 1000
PYTHON = shutil.which("python3", path="/usr/bin:/usr/local/bin") or "python3"  # .venv may be closed to others
LIBVIRT, MACHINES, LOGS = Path("/run/libvirt"), Path("/var/lib/libvirt/qemu"), Path("/var/log/libvirt/qemu")
VAGRANTS_KEYS = ("/usr/share/rubygems-integration/all/gems/vagrant-*/keys/vagrant", "/opt/vagrant/**/keys/vagrant")
TIMEOUT_S = 60.0

# Prints which of the given paths this user can read, write, and connect to.
SCRIPT = """
import json, os, socket, stat, sys

def connects(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        return client.connect_ex(path) == 0

def can(path):
    try:
        is_socket = stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return ""
    if is_socket:
        return "c" * connects(path)
    return "r" * os.access(path, os.R_OK) + "w" * os.access(path, os.W_OK)

print(json.dumps([os.geteuid(), {path: can(path) for path in json.load(sys.stdin)}]))
"""


@dataclass(frozen=True)
class Found:
    """What the lab has on this machine: files that others must not read or must not change, and sockets."""

    secret: dict[str, list[Path]]
    protected: list[Path]
    sockets: list[Path]


def as_user(uid: int, *argv: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    """Run a command as another user, without supplementary groups."""
    return subprocess.run(
        argv,
        user=uid,
        group=uid,
        extra_groups=[],
        input=stdin,
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        timeout=TIMEOUT_S,
    )


def rights(uid: int, paths: list[Path]) -> dict[str, str]:
    """What a user can do with each path: r(ead), w(rite), c(onnect); '' is nothing."""
    done = as_user(uid, PYTHON, "-I", "-c", SCRIPT, stdin=json.dumps([str(path) for path in paths]))
    assert done.returncode == 0, done.stderr
    asked, found = json.loads(done.stdout)
    assert asked == uid
    return dict(found)


def usable(paths: list[Path], right: str) -> list[str]:
    """The paths on which the other user has the right."""
    return [path for path, has in rights(NOBODY, paths).items() if right in has]


def below(folder: Path) -> list[Path]:
    """A folder and everything in it, without links."""
    found = [folder, *folder.rglob("*")] if folder.exists() else []
    return [path for path in found if not path.is_symlink()]


def files(folder: Path) -> list[Path]:
    """The plain files in a folder."""
    return [path for path in below(folder) if path.is_file()]


def keys() -> list[Path]:
    """The private keys that open the nodes."""
    named = re.findall(r"^\s*IdentityFile (.+)$", (ROOT / ".lab/ssh-config").read_text(), re.MULTILINE)
    return [*map(Path, dict.fromkeys(named)), *ROOT.glob(".vagrant/machines/*/*/private_key")]


def disks() -> list[Path]:
    """The disks of the machines, and their base images."""
    return [path for path in files(IMAGES) if path.name.startswith(PREFIX) or "_vagrant_box_image_" in path.name]


def listening() -> list[Path]:
    """The paths of all sockets that the lab's namespace listens on."""
    shown = subprocess.run(["ip", "netns", "exec", NAMESPACE, "ss", "-xlH"], capture_output=True, text=True, check=True)
    return [Path(word) for word in shown.stdout.split() if word.startswith("/") and Path(word).exists()]


@pytest.fixture(scope="module")
def found(lab: Lab) -> Found:
    """Everything that the running lab has here; skips with the system's libvirtd, which sets its own permissions."""
    if not hypervisor.running():
        pytest.skip("the lab uses the system's libvirtd")
    secret = {
        "state": files(ROOT / ".lab"),
        "keys": keys(),
        "disks": disks(),
        "logs": sorted(LOGS.glob(f"{PREFIX}*")),
        "machines": files(MACHINES),
        "backups": files(ROOT / "backups"),
    }
    everything = [path for folder in (LIBVIRT, MACHINES, RUN, STATE, ROOT / ".vagrant") for path in below(folder)]
    sockets = {path for path in [*everything, *listening()] if stat.S_ISSOCK(path.stat().st_mode)}
    # libvirt gives its dnsmasq to nobody, with its pid file.
    protected = [path for path in everything if path not in sockets and path.stat().st_uid != NOBODY]
    return Found(secret, [*protected, *(path for paths in secret.values() for path in paths)], sorted(sockets))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_what_is_open_is_found(open_folder: Path) -> None:
    """A control: what is readable, writable or connectable is reported as such, and what is closed as closed."""
    modes = {"readable": 0o644, "writable": 0o666, "closed": 0o600}
    for name, mode in modes.items():
        (open_folder / name).touch()
        (open_folder / name).chmod(mode)
    with socket.socket(socket.AF_UNIX) as shared, socket.socket(socket.AF_UNIX) as own:
        for it, name, mode in ((shared, "shared", 0o777), (own, "own", 0o700)):
            it.bind(str(open_folder / name))
            (open_folder / name).chmod(mode)
            it.listen()
        seen = {Path(path).name: right for path, right in rights(NOBODY, list(open_folder.iterdir())).items()}
    assert seen == {"readable": "r", "writable": "rw", "closed": "", "shared": "c", "own": ""}


@pytest.mark.parametrize("how", [[], ["--readonly"]])
@pytest.mark.parametrize("command", [["list", "--all"], ["dumpxml", "--security-info", f"{PREFIX}web1"]])
def test_libvirt_refuses_other_users(found: Found, how: list[str], command: list[str]) -> None:
    """A user who may define a machine can read and write every file of the hosting machine."""
    virsh = ["virsh", *how, "-c", LIBVIRT_URI]
    assert as_user(0, *virsh, "list").returncode == 0
    refused = as_user(NOBODY, *virsh, *command)
    assert refused.returncode != 0 and "Permission denied" in refused.stderr, refused.stdout + refused.stderr


def test_no_socket_takes_other_users(found: Found) -> None:
    """The sockets of libvirt, of its log daemon and of each machine."""
    names = {path.name for path in found.sockets}
    assert {"libvirt-sock", "libvirt-sock-ro", "virtlogd-sock", "monitor.sock"} <= names
    assert rights(0, [LIBVIRT / "libvirt-sock"]) == {str(LIBVIRT / "libvirt-sock"): "c"}
    assert usable(found.sockets, "c") == []


@pytest.mark.parametrize("kind", ["state", "keys", "disks", "logs", "machines", "backups"])
def test_other_users_read_nothing(found: Found, kind: str) -> None:
    """Passwords, keys, disks with the database in them, consoles, snapshots, dumps."""
    paths = found.secret[kind]
    assert paths or kind == "backups"
    assert usable(paths, "r") == []


def test_all_of_it_was_looked_at(lab: Lab, found: Found) -> None:
    """The most sensitive files are among the files tried."""
    names = {path.name for paths in found.secret.values() for path in paths}
    assert {"secrets.yml", "ssh-config", "lock"} <= names
    for node in lab.nodes:
        assert {f"{PREFIX}{node.name}.img", f"{PREFIX}{node.name}.console"} <= names


def test_other_users_change_nothing(found: Found) -> None:
    """Neither the files nor their folders."""
    assert {STATE / "libvirtd.conf", LIBVIRT, ROOT / ".lab/secrets.yml"} <= set(found.protected)
    assert usable(found.protected, "w") == []


@pytest.mark.parametrize("uid", [NOBODY, FIRST_USER])
def test_other_users_reach_nothing_of_a_box_that_is_built(uid: int) -> None:
    """Whatever the mode of a file in it: the guest's first user has the same number as this machine's first user."""
    with image.workspace() as work:
        keys = work / "authorized_keys"
        keys.touch()
        keys.chmod(0o666)
        assert rights(0, [keys]) == {str(keys): "rw"}
        assert rights(uid, [keys]) == {str(keys): ""}


def ssh(node_address: str, *options: str) -> str:
    """Log in as vagrant with these options only; the login must be refused, and the output of ssh is returned."""
    known = [
        "-F",
        "none",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "BatchMode=yes",
    ]
    argv = ["ssh", *known, "-o", "ConnectTimeout=20", *options, f"vagrant@{node_address}", "true"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL)
    assert done.returncode == 255, f"{node_address} lets in: {' '.join(options)}"
    return done.stderr


def test_no_node_offers_a_password(lab: Lab) -> None:
    """In boxes of a catalogue the user vagrant has the password vagrant, and is root by sudo."""
    for node in lab.nodes:
        assert "Permission denied (publickey)" in ssh(str(node.ip), "-o", "PubkeyAuthentication=no")


def test_no_node_takes_the_key_that_everybody_has(lab: Lab, open_folder: Path) -> None:
    """Vagrant ships a private key; it opens no node."""
    shipped = [path for pattern in VAGRANTS_KEYS for path in Path("/").glob(pattern.lstrip("/")) if path.is_file()]
    assert shipped
    key = open_folder / "key"
    key.write_bytes(shipped[0].read_bytes())
    key.chmod(0o600)
    for node in lab.nodes:
        refusal = ssh(str(node.ip), "-i", str(key), "-o", "IdentitiesOnly=yes")
        assert "Permission denied (publickey)" in refusal
