"""A hosting machine with another language: the lab runs its programs in English."""

import json
import os
import subprocess
from collections.abc import Mapping

import pytest

from host.names import LIBVIRT_URI
from lab.topology import ROOT, Lab
from tests.live.conftest import INVOKE

pytestmark = pytest.mark.live
LANGUAGES = ("de_DE.UTF-8", "ja_JP.UTF-8")
NEEDED = "virsh has no translation here: apt-get install libvirt-l10n locales; localedef -i {} -f UTF-8 {}"


def spoken(language: str) -> Mapping[str, str]:
    """The environment of a user of this language; skips if virsh has no translation for it."""
    env = {**os.environ, "LC_ALL": language, "LANG": language, "LANGUAGE": language[:2]}
    listed = subprocess.run(
        ["virsh", "-c", LIBVIRT_URI, "list"], env=env, capture_output=True, text=True, timeout=60, check=True
    )
    if "running" in listed.stdout:
        pytest.skip(NEEDED.format(language[:5], language))
    return env


def runs(env: Mapping[str, str], *words: str) -> str:
    """Run a command of the lab in this language, and return its output."""
    done = subprocess.run([INVOKE, *words], cwd=ROOT, env=env, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, f"invoke {' '.join(words)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_machine_is_paused_seen_and_woken(healthy: Lab, language: str) -> None:
    """virsh translates each of these states; converge and fault.heal still find all nodes."""
    env = spoken(language)
    assert "nothing to change" in runs(env, "lab.provision")
    runs(env, "fault.inject", "freeze", "web2")
    try:
        states = {node["name"]: node["state"] for node in json.loads(status(env))["nodes"]}
        assert states == {"lb1": "running", "web1": "running", "web2": "paused"}
    finally:
        runs(env, "fault.heal")
    assert {node["state"] for node in json.loads(status(env))["nodes"]} == {"running"}


def status(env: Mapping[str, str]) -> str:
    """As JSON; its exit code says whether the lab is healthy, which is not asked here."""
    argv = [INVOKE, "lab.status", "--json"]
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60).stdout
