"""Units that are enabled and started: systemctl is the test's own."""

from pathlib import Path

import pytest

from lab.desired.scripts import apply_script
from lab.desired.state import Difference, Unit
from tests.support.fake_node import bash, fake, places

__all__ = ["places"]
REACTS = Unit("thing.service", on_change="systemctl restart thing")


@pytest.mark.parametrize("reload", [True, False])
def test_systemd_reads_its_files_once_however_many_units_are_started(tmp_path: Path, reload: bool) -> None:
    """`enable` makes it read them, before what changed is restarted; no script of SysV is told."""
    fake(tmp_path, "systemctl", 'echo "$SYSTEMCTL_SKIP_SYSV" >> "sysv-$1"')
    starts = ("one.service", "two.service")
    assert bash(apply_script(Difference(reload=reload, reactions=(REACTS,), starts=starts))).returncode == 0
    assert (tmp_path / "calls").read_text().splitlines() == [
        "systemctl enable one.service two.service",
        "systemctl restart thing",
        "systemctl start one.service two.service",
    ]
    assert (tmp_path / "sysv-enable").read_text() == "1\n"


def test_systemd_reads_its_files_where_nothing_is_started(tmp_path: Path) -> None:
    """A drop-in changed."""
    fake(tmp_path, "systemctl", "true")
    assert bash(apply_script(Difference(reload=True, reactions=(REACTS,)))).returncode == 0
    assert (tmp_path / "calls").read_text().splitlines() == ["systemctl daemon-reload", "systemctl restart thing"]


def test_a_unit_that_does_not_start_ends_the_run_with_its_reason(tmp_path: Path) -> None:
    """Nothing after it is done, and who had to read new files still has to."""
    fake(tmp_path, "systemctl", '[ "$1" != start ] || { echo "Job for two.service failed" >&2; exit 1; }')
    (tmp_path / "pending").mkdir()
    (tmp_path / "pending" / "one.service").touch()
    done = bash(apply_script(Difference(starts=("one.service", "two.service"))))
    assert done.returncode == 1 and "two.service failed" in done.stderr
    assert done.stdout.splitlines()[-1] == "step: start one.service two.service"
    assert (tmp_path / "pending" / "one.service").exists()
