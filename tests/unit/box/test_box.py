"""The local box: its name, whether it can be built on this machine, and which older boxes it replaces."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from box import build, choose, image, installed, mirrors, recipe
from lab import process, topology
from lab.errors import InfrastructureBroken
from lab.process import Finished

KIND = "weblab/debian-13-"
OLD, NEW = f"{KIND}0123456789ab", f"{KIND}cdef01234567"
PLAIN = f"{KIND}plain-0123456789ab"


def copy_of_the_recipe(folder: Path) -> Path:
    """A copy of the files from which boxes are built, to change."""
    return Path(shutil.copytree(recipe.HERE, folder / "box"))


def test_the_name_tells_release_kind_and_hash() -> None:
    """The release, 'plain' for the second kind, then twelve hex digits."""
    baked, plain = (recipe.Recipe(recipe.TRIXIE, plain=plain) for plain in (False, True))
    assert installed.older({baked.name}, KIND, keep="") == {baked.name}
    assert installed.older({plain.name}, f"{KIND}plain-", keep="") == {plain.name}


@pytest.mark.parametrize("changed", ["hooks/seal.sh", "guest/common/etc/hosts", "Vagrantfile.template", "recipe.py"])
def test_a_changed_recipe_file_changes_the_hash(tmp_path: Path, changed: str) -> None:
    """A box built from other files has another name."""
    folder = copy_of_the_recipe(tmp_path)
    before = recipe.fingerprint(folder, "options")
    with (folder / changed).open("a") as file:
        file.write("\n")
    assert recipe.fingerprint(folder, "options") != before


def test_options_change_the_hash_and_other_files_do_not(tmp_path: Path) -> None:
    """A file that is no part of the box must not cause a build."""
    folder = copy_of_the_recipe(tmp_path)
    before = recipe.fingerprint(folder, "options")
    (folder / "installed.py").write_text("changed")
    assert recipe.fingerprint(folder, "options") == before
    assert recipe.fingerprint(folder, "other options") != before


def test_only_a_baked_box_has_the_servers() -> None:
    """On a plain box the roles install them."""
    baked, plain = (recipe.Recipe(recipe.TRIXIE, plain=plain) for plain in (False, True))
    assert set(baked.packages) - set(plain.packages) == set(recipe.SERVERS)


@pytest.mark.parametrize(
    ("host", "label"),
    [
        (("debian", "12"), "debian-13"),
        (("debian", "13"), "debian-13"),
        (("ubuntu", "24.04"), "ubuntu-24.04"),
        (("ubuntu", "26.04"), "ubuntu-26.04"),
    ],
)
def test_the_release_follows_the_host(host: tuple[str, str], label: str) -> None:
    """Debian hosts build Debian 13, Ubuntu hosts their own release."""
    assert recipe.release_of({"ID": host[0], "VERSION_ID": host[1]}).label == label


def test_an_unknown_host_is_told_what_it_could_be() -> None:
    """The error names this system and the supported ones."""
    with pytest.raises(InfrastructureBroken, match=r"Debian 12, 13 or Ubuntu 24\.04, 26\.04; this is Fedora 44"):
        recipe.release_of({"ID": "fedora", "VERSION_ID": "44", "PRETTY_NAME": "Fedora 44"})


@pytest.fixture
def good_machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine that has everything for a build."""
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: {"ID": "debian", "VERSION_ID": "12"})
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda program: f"/usr/bin/{program}")
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(100 << 30, 0, 50 << 30))
    monkeypatch.setattr("glob.glob", lambda pattern: [pattern])
    monkeypatch.setattr(mirrors, "problem", lambda _: "")
    return monkeypatch


def test_a_good_machine_can_build(good_machine: pytest.MonkeyPatch) -> None:
    """None means that there is no reason against it."""
    assert build.can_build() is None


def test_vagrant_is_asked_once_for_a_box_that_it_has(good_machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is slow to start; nothing is built, and nothing else is asked."""
    asked: list[Sequence[str]] = []

    def run(argv: Sequence[str], **_: object) -> Finished:
        asked.append(argv)
        return Finished(0, f"{build.name()} (libvirt, 0)\n")

    good_machine.setattr(process, "run", run)
    good_machine.setattr(image, "KERNELS", tmp_path)
    folder = image.kernel_folder(build.name())
    folder.mkdir()
    for name in ("vmlinuz", "initrd"):
        (folder / name).touch()
    assert choose.choose(topology.load(), "libvirt", emulated=True).name == build.name()
    assert asked == [["vagrant", "box", "list"]]


def test_every_reason_is_named_at_once(good_machine: pytest.MonkeyPatch) -> None:
    """Not root, a missing program, too little disk and old keys all appear in one answer."""
    good_machine.setattr("os.geteuid", lambda: 1000)
    good_machine.setattr("shutil.which", lambda program: None if program == "mmdebstrap" else program)
    good_machine.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(9 << 30, 0, 1 << 30))
    good_machine.setattr("glob.glob", lambda _: [])
    assert build.can_build() == (
        "not root; mmdebstrap is missing (package mmdebstrap); /var/lib has 1.0 GB free, 4 are needed; "
        "the archive keys of trixie are missing (upgrade the package debian-archive-keyring)"
    )


def test_no_mirror_is_a_reason(good_machine: pytest.MonkeyPatch) -> None:
    """The error about the mirror is returned as the reason."""
    good_machine.setattr(mirrors, "problem", lambda _: "host: no Debian mirror in apt's configuration")
    assert build.can_build() == "host: no Debian mirror in apt's configuration"


def test_a_cached_box_is_not_built_again(good_machine: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One progress line reports it."""
    good_machine.setattr(installed, "has", lambda _: True)
    name = build.ensure()
    assert name == build.name()
    assert f"box in cache: {name}" in capsys.readouterr().err


def test_older_boxes_are_those_of_the_same_kind() -> None:
    """A plain box, another project's box and the one to keep are not older boxes."""
    names = {OLD, NEW, PLAIN, "weblab/trial", "weblab/debian-13-today"}
    assert installed.older(names, KIND, keep=NEW) == {OLD}


@pytest.mark.parametrize(
    ("volume", "box"),
    [
        ("weblab-VAGRANTSLASH-debian-13-0123456789ab_vagrant_box_image_0_1763864780_box.img", OLD),
        ("weblab_web1.img", "weblab_web1.img"),
    ],
)
def test_a_volume_names_its_box(volume: str, box: str) -> None:
    """The disk of a machine has no box: its own name is returned."""
    assert installed.box_of(volume) == box


def test_the_kernel_of_a_box_has_a_folder_of_its_own() -> None:
    """The slash in the name makes no subfolder."""
    assert image.kernel_folder(OLD) == image.KERNELS / "weblab-debian-13-0123456789ab"
