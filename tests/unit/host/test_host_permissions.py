"""What other users of the machine must not access: sockets, images, state, a box that is being built."""

import os
import socket
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from box import build, image
from fabfile import base
from host import permissions
from host.private import daemons


def mode(path: Path) -> int:
    """The permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def sockets(tmp_path: Path) -> Iterator[Path]:
    """libvirtd's sockets as an older configuration left them, and one of another program."""
    listening = []
    for name in ("libvirt-sock", "libvirt-sock-ro", "of-another-program"):
        listening.append(socket.socket(socket.AF_UNIX))
        listening[-1].bind(str(tmp_path / name))
        (tmp_path / name).chmod(0o777)
    yield tmp_path
    for it in listening:
        it.close()


def test_sockets_of_an_older_daemon_are_closed_while_it_runs(sockets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both are closed and reported once; other programs' sockets keep their mode."""
    permissions.close_sockets(sockets)
    permissions.close_sockets(sockets)
    assert {path.name: mode(path) for path in sockets.glob("*-*")} == {
        "libvirt-sock": 0o700,
        "libvirt-sock-ro": 0o700,
        "of-another-program": 0o777,
    }
    assert "".join(capsys.readouterr()).count("closing to other users") == 1


def test_what_is_no_socket_keeps_its_mode(tmp_path: Path) -> None:
    """A plain file of that name is not the lab's."""
    file = tmp_path / "libvirt-sock"
    file.touch()
    file.chmod(0o666)
    permissions.close_sockets(tmp_path)
    assert mode(file) == 0o666


def test_no_sockets_are_fine(tmp_path: Path) -> None:
    """Before the first start the folder does not exist either."""
    permissions.close_sockets(tmp_path / "absent")


def test_a_new_daemon_opens_its_sockets_for_root_alone() -> None:
    """Without authentication, the mode of each socket is the only check."""
    settings = dict(line.split(" = ") for line in daemons.CONFIGS[daemons.CONFIG].splitlines())
    modes = {name: value for name, value in settings.items() if name.endswith("_perms")}
    assert modes == {f"unix_sock_{kind}_perms": '"0700"' for kind in ("ro", "rw", "admin")}
    assert settings["unix_sock_group"] == '"root"'


def test_images_are_left_to_root_and_qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """QEMU's group may enter the folder but not list it; others may not enter it."""
    monkeypatch.setattr(permissions, "_qemus_group", os.getgid)
    permissions.close_images(tmp_path)
    assert (mode(tmp_path), tmp_path.stat().st_gid) == (0o710, os.getgid())


def test_an_unknown_qemu_user_keeps_its_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If QEMU could not enter the folder, no machine would start."""
    monkeypatch.setattr(permissions, "QEMU_USER", "weblab-no-such-user")
    tmp_path.chmod(0o711)
    permissions.close_images(tmp_path)
    assert mode(tmp_path) == 0o711


def test_a_group_that_qemu_is_not_in_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The group exists, but the user is not in it."""
    monkeypatch.setattr(os, "getgrouplist", lambda user, group: [])
    monkeypatch.setattr(permissions, "QEMU_USER", "root")
    assert permissions._qemus_group() is None


def test_the_state_of_a_checkout_is_closed(tmp_path: Path) -> None:
    """Created if it is missing, closed if an older version left it open."""
    state = tmp_path / ".lab"
    permissions.close_state(state)
    assert mode(state) == 0o700
    state.chmod(0o755)
    permissions.close_state(state)
    assert mode(state) == 0o700


@pytest.mark.parametrize("left", [None, 0o755], ids=["", "a build was killed"])
def test_a_box_is_built_where_nobody_else_can_enter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int | None
) -> None:
    """The guest's user numbers are those of users here; what a killed build left is closed, then removed."""
    modes: list[int] = []
    remove = image._remove

    def removes(folder: Path) -> None:
        modes.extend([mode(folder)] if folder.exists() else [])
        remove(folder)

    monkeypatch.setattr(image, "STATE", tmp_path)
    monkeypatch.setattr(image, "_remove", removes)
    if left is not None:
        (tmp_path / "box-build/tree/home/vagrant").mkdir(parents=True)
        (tmp_path / "box-build").chmod(left)
    with image.workspace() as work:
        assert (mode(work), list(work.iterdir())) == (0o700, [])
        (work / "boot").mkdir()
    assert set(modes) == {0o700} and not work.exists()


def test_a_box_keeps_its_keys_while_it_is_built(tmp_path: Path) -> None:
    """The programs that write the files keep the existing mode."""
    build.create_secret_files(tmp_path)
    package = tmp_path / "package.box"
    with tarfile.open(package, "w") as archive:
        archive.add(__file__)
    assert package.stat().st_size
    assert {mode(tmp_path / name) for name in build.SECRET_FILES} == {0o600}


@pytest.mark.parametrize(
    ("files", "holds"),
    [
        ({"10-weblab.conf": "UseDNS no\nPasswordAuthentication no\n"}, True),
        ({"00-weblab.conf": "PasswordAuthentication no\n", "50-cloud-init.conf": "PasswordAuthentication yes\n"}, True),
        ({"10-a.conf": "PasswordAuthentication yes\n", "20-b.conf": "PasswordAuthentication no\n"}, False),
        ({"10-a.conf": "#PasswordAuthentication no\n"}, False),
        ({}, False),
    ],
)
def test_the_first_setting_decides_whether_ssh_takes_passwords(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], holds: bool
) -> None:
    """sshd reads the files in the order of their names, and the first value wins."""
    monkeypatch.setattr(base, "SSH_SETTINGS", str(tmp_path))
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(["bash", "-c", base._takes_keys_only()], capture_output=True)
    assert (done.returncode == 0) == holds


@pytest.mark.parametrize("valid", [True, False])
def test_ssh_takes_keys_only_or_keeps_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, valid: bool
) -> None:
    """The new setting is in force at once; one that sshd refuses is removed again."""
    monkeypatch.setattr(base, "SSH_SETTINGS", str(tmp_path))
    (tmp_path / "50-cloud-init.conf").write_text("PasswordAuthentication yes\n")
    programs = f"sshd() {{ {str(valid).lower()}; }}; systemctl() {{ echo $*; }}\n"
    done = subprocess.run(["bash", "-c", programs + base._take_keys_only()], capture_output=True, text=True)
    assert (done.returncode == 0, done.stdout) == ((True, "reload ssh\n") if valid else (False, ""))
    asked = subprocess.run(["bash", "-c", base._takes_keys_only()], capture_output=True)
    assert (asked.returncode == 0) == (tmp_path / "00-weblab.conf").exists() == valid


def test_daemons_that_run_are_closed_and_not_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their next start will read the new configuration; until then the lab sets the modes itself."""
    done: list[str] = []
    monkeypatch.setattr(daemons, "STATE", tmp_path)
    monkeypatch.setattr(daemons, "CONFIGS", {tmp_path / "libvirtd.conf": daemons.ROOT_ONLY})
    monkeypatch.setattr(daemons, "_runs", lambda name: True)
    monkeypatch.setattr(daemons, "_spawn", lambda name, config: done.append(name))
    monkeypatch.setattr(daemons, "answers", lambda: True)
    monkeypatch.setattr(permissions, "close_sockets", lambda: done.append("closed"))
    daemons.start()
    assert done == ["closed"]
    assert (tmp_path / "libvirtd.conf").read_text() == daemons.ROOT_ONLY


def test_a_socket_of_a_group_is_closed_too(tmp_path: Path) -> None:
    """Every user in that group would be root."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "libvirt-sock"))
        (tmp_path / "libvirt-sock").chmod(0o770)
        permissions.close_sockets(tmp_path)
    assert mode(tmp_path / "libvirt-sock") == 0o700
