"""A command of the lab that an experiment runs in a separate process."""

import os
from types import SimpleNamespace
from typing import Any

import pytest

from lab import process
from lab.experiment import subcommand
from lab.state.lock import HOLDER


def test_it_has_the_lock_of_the_experiment_and_may_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its exit code is returned; if the experiment gives up, the command is ended."""
    asked: list[tuple[list[str], dict[str, Any]]] = []

    def run(argv: list[str], **options: Any) -> Any:
        asked.append((argv, options))
        return SimpleNamespace(exit_code=1, output="said no")

    def give_up() -> bool:
        return False

    monkeypatch.setattr(process, "run", run)
    assert subcommand.run("db.promote web2 --to 'a b'", give_up) == (1, "said no")
    ((argv, options),) = asked
    assert argv[0].endswith("/invoke") and argv[1:] == ["db.promote", "web2", "--to", "a b"]
    assert options["env"] == {HOLDER: str(os.getpid())} and options["give_up"] is give_up and 1 in options["ok"]
