"""A command imports its own group only, and finds what it did before."""

import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module

import pytest

from commands.groups import GROUPS, named

STATUS = """
import sys
sys.argv = ["invoke", "lab.status", "--json"]
import tasks
assert "lab.status" in tasks.ns.task_names
print(*sys.modules)
"""


@pytest.mark.parametrize(
    ("words", "groups"),
    [
        (["lab.status", "--json"], ["lab"]),
        (["lab.destroy", "lab.up", "--box", "local"], ["lab"]),
        (["db.promote", "web2", "lab.status"], ["lab", "db"]),
        (["--help", "experiment.run"], ["experiment"]),
        ([], GROUPS),
        (["--list"], GROUPS),
        (["-l", "lab"], GROUPS),
        (["--list=db", "lab.status"], GROUPS),
        (["lb.status"], GROUPS),
        (["labs.up"], GROUPS),
    ],
)
def test_the_groups_of_the_commands_are_needed(words: Sequence[str], groups: Sequence[str]) -> None:
    """All of them where a list is wanted, or where it is not certain what is."""
    assert list(named(words)) == list(groups)


@pytest.mark.parametrize("group", GROUPS)
def test_each_group_has_its_module(group: str) -> None:
    """By the same name, as its commands begin with it."""
    assert import_module(f"commands.{group}").commands.name == group


def test_a_look_at_the_lab_imports_no_experiment_and_no_template() -> None:
    """What it does not need costs time at each start."""
    done = subprocess.run([sys.executable, "-c", STATUS], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert {"jinja2", "lab.experiment.runner", "lab.report.page"}.isdisjoint(done.stdout.split())
