"""Files on their way to their places: checked while they are aside. The checkers are the test's own."""

import getpass
import grp
import os
from pathlib import Path

import pytest

from lab.desired.scripts import apply_script
from lab.desired.state import Difference, File
from tests.support.fake_node import bash, fake, places

__all__ = ["places"]
ME = f"{getpass.getuser()}:{grp.getgrgid(os.getgid()).gr_name}"
BY_NAME = 'for it; do echo "${it##*/} $(stat -c %a "$it") $(cat "$it")" >> seen; done; [ ! -e refuses ]'


def of(tmp_path: Path, name: str, **changed: str) -> File:
    """A file with its own name in it."""
    return File(str(tmp_path / "new" / name), f"I am {name}", owner=ME, **changed)


@pytest.mark.parametrize("refuses", [False, True])
def test_a_checker_that_takes_several_files_is_started_once(tmp_path: Path, refuses: bool) -> None:
    """It sees content, mode and name of each, and where it refuses one, none is put in place."""
    fake(tmp_path, "lint", BY_NAME)
    if refuses:
        (tmp_path / "refuses").touch()
    one, two = of(tmp_path, "one.php", check="lint -l %*"), of(tmp_path, "two.php", check="lint -l %*", mode="640")
    done = bash(apply_script(Difference(files=(one, of(tmp_path, "plain"), two))))
    assert len((tmp_path / "calls").read_text().splitlines()) == 1
    seen = [line for line in (tmp_path / "seen").read_text().splitlines() if "php" in line]
    assert seen == ["0-one.php 644 I am one.php", "2-two.php 640 I am two.php"]
    assert f"step: check of {one.path}, {two.path}" in done.stdout
    assert (done.returncode == 0) == (not refuses)
    assert [Path(file.path).exists() for file in (one, two)] == [not refuses] * 2


def test_a_checker_that_takes_one_file_is_started_for_each(tmp_path: Path) -> None:
    """Two products with the same words."""
    fake(tmp_path, "lint", BY_NAME)
    files = [of(tmp_path, name, check="lint %s") for name in ("one", "two")]
    assert bash(apply_script(Difference(files=tuple(files)))).returncode == 0
    assert (tmp_path / "seen").read_text().splitlines() == ["0-one 644 I am one", "1-two 644 I am two"]


def test_an_owner_that_the_node_does_not_know_changes_nothing(tmp_path: Path) -> None:
    """A file that somebody else could read is not put in place."""
    done = bash(apply_script(Difference(files=(File(str(tmp_path / "x"), "secret", "640", "root:no-such-group"),))))
    assert done.returncode != 0 and list(tmp_path.glob("x*")) == []


def test_files_are_on_the_disk_before_a_converge_goes_on(tmp_path: Path) -> None:
    """They and their folder are synced in their places: a power-off must not bring the old one back."""
    fake(tmp_path, "sync", 'cat "$1" > synced')
    file = of(tmp_path, "conf")
    assert bash(apply_script(Difference(files=(file,)))).returncode == 0
    assert (tmp_path / "synced").read_text() == "I am conf"
    assert f"sync {file.path} {tmp_path / 'new'}" in (tmp_path / "calls").read_text()
