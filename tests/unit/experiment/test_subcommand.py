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


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("  12.3s  web2      waits for its replica", ("web2", "waits for its replica")),
        ("   0.1s  -         10.5s  web1 is open", ("-", "10.5s  web1 is open")),
        ("web2 is the primary now", None),
    ],
)
def test_its_progress_is_shown_as_progress_of_the_experiment(line: str, shown: tuple[str, str] | None) -> None:
    """With the time since the experiment began; its answer is no progress."""
    assert subcommand.progress_of(line.strip()) == shown
