"""The fault of PHP on a web server: when it makes PHP slow, and when it ends."""

from pathlib import Path

import pytest

from lab import topology
from lab.faults.kinds import Fault
from lab.injection import guest, guest_web
from tests.support.fake_node import bash, fake, places

__all__ = ["places"]  # the fixture that puts a fake node's commands first

LAB = topology.load()
LIMIT = Fault.parse(LAB, {"kind": "php-limit", "node": "web1", "pages_per_s": 15})


def test_php_is_slow_while_a_link_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PHP reads its settings again at each start; the link leads to a folder that a boot empties."""
    settings = tmp_path / "8.4" / "fpm" / "conf.d"
    settings.mkdir(parents=True)
    monkeypatch.setattr(guest_web, "SETTINGS", f"{tmp_path}/*/fpm/conf.d")
    made = guest.scripts(LIMIT, LAB)
    fake(tmp_path, "systemctl", "exit 0")
    assert bash(made.inject).returncode == bash(made.inject).returncode == 0
    (link,) = settings.iterdir()
    assert link.is_symlink() and str(link.readlink()).startswith("/run/")
    assert bash(made.heal).returncode == bash(made.heal).returncode == 0
    assert not list(settings.iterdir())


def test_php_is_reloaded_until_that_worked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first heal was interrupted after it removed the link; when nothing is left to heal, PHP is not reloaded."""
    monkeypatch.setattr(guest_web, "SETTINGS", f"{tmp_path}/*/fpm/conf.d")
    monkeypatch.setattr(guest_web, "state_path", lambda _: str(tmp_path / "limit"))
    made = guest.scripts(LIMIT, LAB)
    (tmp_path / "limit.ini").write_text("auto_prepend_file=limit.php\n")
    fake(tmp_path, "systemctl", "exit 1")
    assert bash(made.heal).returncode != 0 and (tmp_path / "limit.ini").exists()
    fake(tmp_path, "systemctl", "exit 0")
    assert [bash(made.heal).returncode for _ in range(2)] == [0, 0]
    assert not (tmp_path / "limit.ini").exists()
    assert (tmp_path / "calls").read_text().count("try-reload-or-restart") == 2
