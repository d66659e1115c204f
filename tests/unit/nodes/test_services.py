"""Names of units are expanded from the installed unit files, so that a stopped unit is found too."""

import os
import subprocess
from pathlib import Path

import pytest

from lab.nodes import facts, services


def test_a_release_completes_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any version of PHP; a name without a pattern stays as it is, installed or not."""
    (tmp_path / "php8.3-fpm.service").touch()
    monkeypatch.setattr(services, "FOLDER", str(tmp_path))
    result = subprocess.run(
        ["bash", "-c", f"echo {services.named(['nginx', 'php*-fpm'])}"], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["nginx.service", "php8.3-fpm.service"]


def test_each_unit_is_read_with_its_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """systemctl says nothing of a pattern that nothing matches, and ends with 3 where a unit does not run."""
    (tmp_path / "php8.3-fpm.service").touch()
    systemctl = tmp_path / "systemctl"
    says = 'shift; for unit; do [[ $unit == *"*"* ]] || echo "$unit is"; done; exit 3'
    systemctl.write_text(f"#!/bin/bash\n{says}\n")
    systemctl.chmod(0o755)
    monkeypatch.setattr(services, "FOLDER", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    script = facts.SERVICES_ARE % services.named(["nginx", "none*here", "php*-fpm"])
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert facts.services(done.stdout) == {"nginx": "nginx.service is", "php8.3-fpm": "php8.3-fpm.service is"}


def test_a_node_whose_systemd_does_not_answer_says_nothing_of_its_services() -> None:
    """Names without states."""
    assert facts.services("nginx.service mysql.service\n") == {} == facts.services("")
