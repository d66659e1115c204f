"""Names of units are expanded from the installed unit files, so that a stopped unit is found too."""

import subprocess
from pathlib import Path

import pytest

from lab.nodes import services


def test_a_release_completes_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any version of PHP; a name without a pattern stays as it is, installed or not."""
    (tmp_path / "php8.3-fpm.service").touch()
    monkeypatch.setattr(services, "FOLDER", str(tmp_path))
    result = subprocess.run(
        ["bash", "-c", f"echo {services.named(['nginx', 'php*-fpm'])}"], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["nginx.service", "php8.3-fpm.service"]
