"""Packages after interruptions: what was left, stale policies, locks. apt-get and dpkg are the test's own."""

from pathlib import Path

import pytest

from lab.desired import scripts
from lab.desired.scripts import apply_script
from lab.desired.state import Command, Difference
from tests.support.fake_node import bash, fake, places

__all__ = ["places"]


def test_an_installation_begins_with_what_an_interrupted_one_left(tmp_path: Path) -> None:
    """Half-configured packages first, no service started meanwhile, no question asked, nothing read from the script."""
    (tmp_path / "policy-rc.d").write_text("#!/bin/sh\n# weblab\nexit 101\n")
    for name in ("dpkg", "apt-get"):
        fake(tmp_path, name, "cat >> input; sh policy-rc.d; echo $? >> policy")
    done = bash(apply_script(Difference(packages=("thing",))))
    assert done.returncode == 0, done.stdout
    dpkg, install = (tmp_path / "calls").read_text().splitlines()
    assert dpkg == "dpkg --force-confold --configure -a"
    assert "Dpkg::Options::=--force-confold" in install and install.endswith("install thing")
    assert (tmp_path / "input").read_text() == ""
    assert (tmp_path / "policy").read_text() == "101\n101\n"
    assert not (tmp_path / "policy-rc.d").exists()


@pytest.mark.parametrize(("ours", "stays"), [("# weblab", False), ("# somebody's", True)])
def test_a_policy_that_an_interrupted_run_left_goes(tmp_path: Path, ours: str, stays: bool) -> None:
    """Whatever changes next, and only if it is ours."""
    (tmp_path / "policy-rc.d").write_text(f"#!/bin/sh\n{ours}\nexit 101\n")
    bash(apply_script(Difference(commands=(Command("name", "", "true"),))))
    assert (tmp_path / "policy-rc.d").exists() is stays


UPDATE_FINDS_A_LOCK = """[ "${*: -1}" != thing ] || exec [ -e updated ]
echo 'E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)' >&2
[ -e once ] && touch updated || { touch %s; exit 100; }"""


def test_package_lists_that_are_locked_are_waited_for(tmp_path: Path) -> None:
    """Another apt-get update holds them: said while it lasts, then the installation goes on."""
    fake(tmp_path, "dpkg", "true")
    fake(tmp_path, "apt-get", UPDATE_FINDS_A_LOCK % "once")
    done = bash(apply_script(Difference(packages=("thing",))))
    assert done.returncode == 0, done.stdout
    assert "step: waits: E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7" in done.stdout


def test_package_lists_that_stay_locked_end_the_run(tmp_path: Path) -> None:
    """The wait is bounded, and nothing is done without the packages."""
    fake(tmp_path, "dpkg", "true")
    fake(tmp_path, "apt-get", UPDATE_FINDS_A_LOCK % "never")
    done = bash(apply_script(Difference(packages=("thing",), commands=(Command("name", "", "touch done"),))))
    assert done.returncode == scripts.LOCK_HELD
    assert not (tmp_path / "policy-rc.d").exists() and "step: name" not in done.stdout
