"""Ask, change only what differs, say what changed. The scripts run here for real, in a folder of the test's."""

import getpass
import grp
import os
import subprocess
from pathlib import Path

import pytest

from lab.ensure import (
    Command,
    Desired,
    Difference,
    File,
    Found,
    Unit,
    apply_script,
    compare,
    fingerprint,
    probe_script,
    read_probe,
)

ME = f"{getpass.getuser()}:{grp.getgrgid(os.getgid()).gr_name}"
CONF = File("/etc/thing.conf", "port 80\n")
UNIT = Unit("thing.service", watches=("/etc/thing.conf",), on_change="systemctl reload thing")
FOUND = Found(
    frozenset({"thing"}), {CONF.path: fingerprint(CONF)}, {"thing.service": "active enabled"}, {"name": 0}, {}
)
DESIRED = Desired(("thing",), (CONF,), (UNIT,), (Command("name", "true", "true"),))


def bash(script: str) -> "subprocess.CompletedProcess[str]":
    """Run a script as a node would."""
    return subprocess.run(["bash", "-s"], input=script, capture_output=True, text=True, timeout=20)


def test_a_node_as_desired_differs_in_nothing() -> None:
    """The second converge has nothing to do."""
    assert not compare(DESIRED, FOUND)


def test_a_changed_file_is_written_and_its_unit_reacts() -> None:
    """One file differs: that file, and the reload of the unit that watches it."""
    found = Found(FOUND.packages, {CONF.path: "0 644 root:root"}, FOUND.units, FOUND.commands, {})
    assert compare(DESIRED, found) == Difference(files=(CONF,), reactions=("systemctl reload thing",))


def test_a_wrong_mode_is_a_difference() -> None:
    """Secrets must not become readable by drift."""
    loose = fingerprint(CONF).replace("644", "666")
    found = Found(FOUND.packages, {CONF.path: loose}, FOUND.units, FOUND.commands, {})
    assert compare(DESIRED, found).files == (CONF,)


@pytest.mark.parametrize("state", ["inactive enabled", "active disabled", "failed enabled"])
def test_a_stopped_or_disabled_unit_is_started_not_reloaded(state: str) -> None:
    """A unit that is started reads its new file anyway."""
    found = Found(FOUND.packages, {}, {"thing.service": state}, FOUND.commands, {})
    difference = compare(DESIRED, found)
    assert (difference.starts, difference.reactions) == (("thing.service",), ())


def test_a_missing_package_and_an_unmet_state_are_changed() -> None:
    """Packages by name, other state by its own question."""
    found = Found(frozenset(), FOUND.files, FOUND.units, {"name": 1}, {})
    difference = compare(DESIRED, found)
    assert difference.packages == ("thing",)
    assert [it.name for it in difference.commands] == ["name"]


def test_the_probe_reports_files_commands_and_answers(tmp_path: Path) -> None:
    """What the probe prints is what compare needs."""
    path = tmp_path / "a file"
    path.write_text("hello\n")
    path.chmod(0o640)
    file = File(str(path), "hello\n", "640", ME)
    desired = Desired(
        files=(file, File(str(tmp_path / "absent"), "x")),
        commands=(Command("yes", "true", ""), Command("no", "exit 7", "")),
        questions={"two words": "echo one; echo two"},
    )
    found = read_probe(bash(probe_script(desired)).stdout)
    assert found.files == {str(path): fingerprint(file)}
    assert found.commands == {"yes": 0, "no": 7}
    assert found.answers == {"two words": "one\ntwo"}


def test_units_are_read_by_all_their_names() -> None:
    """mysql.service may be an alias."""
    text = (
        "=weblab= units\nNames=mysqld.service mysql.service\nActiveState=active\nUnitFileState=enabled\n\n"
        "Names=nginx.service\nActiveState=inactive\nUnitFileState=disabled\n"
    )
    units = read_probe(text).units
    assert units["mysql.service"] == "active enabled"
    assert units["nginx.service"] == "inactive disabled"


def test_only_installed_packages_count(tmp_path: Path) -> None:
    """A removed package leaves its configuration behind: 'rc', not 'ii'."""
    text = "=weblab= packages\nii  nginx\nrc  haproxy\nun  php-fpm\n"
    assert read_probe(text).packages == {"nginx"}


def test_apply_writes_content_mode_and_owner(tmp_path: Path) -> None:
    """The file arrives byte for byte, in a folder that did not exist."""
    file = File(str(tmp_path / "new" / "x.conf"), "quote ' \" $HOME `id` ü\n", "640", ME, check="grep -q quote %s")
    done = bash(apply_script(Difference(files=(file,))))
    assert done.returncode == 0, done.stderr
    assert Path(file.path).read_text() == file.text
    assert Path(file.path).stat().st_mode & 0o777 == 0o640


def test_a_refused_file_leaves_every_old_file_and_runs_nothing(tmp_path: Path) -> None:
    """The checker of one file says no: no file is replaced, no service touched, the reason is shown."""
    good, bad, touched = tmp_path / "good", tmp_path / "bad", tmp_path / "touched"
    for path in (good, bad):
        path.write_text("old")
    difference = Difference(
        files=(
            File(str(good), "new", owner=ME),
            File(str(bad), "new", owner=ME, check="echo line 3 is wrong >&2; false %s"),
        ),
        reactions=(f"touch {touched}",),
    )
    done = bash(apply_script(difference))
    assert done.returncode != 0
    assert (good.read_text(), bad.read_text(), touched.exists()) == ("old", "old", False)
    assert "check of" in done.stdout and "line 3 is wrong" in done.stderr
