"""The primary during an experiment: promoted before the run, and the former one afterwards."""

import pytest

from lab.errors import CheckFailed
from lab.experiment import role_recovery
from tests.unit.experiment import test_runner
from tests.unit.experiment.test_runner import Scene

scene = test_runner.scene


@pytest.mark.parametrize(
    ("before", "wanted", "commands"),
    [
        ("web1", "web1", []),
        ("web2", "web1", ["db.promote web1", "measure", "db.promote web2"]),
        ("web2", "", []),
    ],
)
def test_the_roles_that_an_experiment_needs_are_brought_about(
    scene: Scene, before: str, wanted: str, commands: list[str]
) -> None:
    """Its faults name nodes: 'the primary loses its power' would be wrong if that node were a replica."""
    scene.primary = before
    turn = role_recovery.Turn([], wanted, lambda words: scene.command(words, lambda: False))
    turn.take()
    assert turn.primary == (wanted or before) == scene.primary
    scene.done += ["measure"] if turn.turned else []
    turn.give_back()
    assert scene.done == commands and scene.primary == before


def test_roles_that_cannot_be_turned_end_the_run_before_it_begins(scene: Scene) -> None:
    """With the output of the promotion; nothing was measured."""
    scene.primary, scene.exit_code = "web2", 1
    with pytest.raises(CheckFailed, match="web1 can't be made primary") as caught:
        role_recovery.Turn([], "web1", lambda words: scene.command(words, lambda: False)).take()
    assert caught.value.evidence == "what it said"


def test_a_run_turns_the_roles_before_it_measures_and_back_afterwards(scene: Scene) -> None:
    """A user who had promoted web2 finds it promoted."""
    scene.primary = "web2"
    scene.complete_run("web1")
    assert [it for it in scene.done if it.startswith("db.promote")] == ["db.promote web1", "db.promote web2"]
    assert scene.done.index("db.promote web1") < scene.done.index("db.promote web2") and scene.primary == "web2"
