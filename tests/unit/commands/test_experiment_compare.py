"""invoke experiment.compare: rounds in turn, each with its setting; an interrupted comparison goes on."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.parser import Parser

import tasks
from commands import experiment_compare
from lab.analysis import comparison_folder, run_folder
from lab.errors import InfrastructureBroken
from lab.experiment import role_recovery, subcommand
from lab.state import choices
from lab.topology import ROOT
from tests.support.comparison_doubles import Scene
from tests.unit.conftest import Stored

NAME, PAIRS = "experiment.compare", "9"
ALGORITHMS = ("--a", "algorithm=roundrobin", "--b", "algorithm=leastconn", "--repeat", PAIRS)
Typed = Callable[..., str]


@pytest.fixture
def scene(stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A healthy lab whose runs are the test's."""
    runs = tmp_path / run_folder.RUNS.name
    monkeypatch.setattr(comparison_folder.find, "__defaults__", (runs,))
    monkeypatch.setattr(comparison_folder.make, "__defaults__", (runs,))
    return Scene(monkeypatch, tmp_path)


@pytest.fixture
def typed(scene: Scene, capsys: pytest.CaptureFixture[str]) -> Typed:
    """What a command line answers; its exit is raised."""

    def run(*words: str) -> str:
        parsed = Parser(tasks.ns.to_contexts()).parse_argv([NAME, *words])[0]
        experiment_compare.compare(Context(), **parsed.as_kwargs)
        return capsys.readouterr().out

    return run


def test_every_round_runs_with_its_setting(scene: Scene, typed: Typed, stored: Stored) -> None:
    """The two of a pair get the same requests, and each has the faults of the experiment."""
    said = typed("web2-slow", *ALGORITHMS)
    assert "NO DIFFERENCE SEEN" in said and "compare.html" in said
    assert Counter(it.algorithm for it, *_ in scene.rounds) == {"roundrobin": 9, "leastconn": 9}
    for first, second in zip(scene.rounds[::2], scene.rounds[1::2], strict=True):
        assert first[1] == second[1] and {first[0].algorithm, second[0].algorithm} == {"roundrobin", "leastconn"}
    assert len({seed for _, seed, _ in scene.rounds}) == 9
    assert all(broken == {"web2-slow"} for *_, broken in scene.rounds)
    assert scene.broken == {} and stored() == {}


def test_the_users_choices_are_in_force_again_afterwards(scene: Scene, typed: Typed, stored: Stored) -> None:
    """Also those that the last round had by chance, as nobody knows whether they came into force."""
    choices.save(algorithm="leastconn", weights={"web1": 30})
    typed("control", *ALGORITHMS)
    assert stored() == {"algorithm": "leastconn", "weights": {"web1": 30}}
    assert scene.converged[-1].algorithm == "leastconn"
    assert {it.weights["web1"] for it, *_ in scene.rounds} == {30}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), InfrastructureBroken("the load ended early")])
def test_what_is_interrupted_says_what_it_has_and_goes_on(
    scene: Scene, typed: Typed, stored: Stored, capsys: pytest.CaptureFixture[str], error: BaseException
) -> None:
    """Nothing is left broken; the round that was not complete is measured again, and no other."""
    scene.fails_at, scene.error = 8, error
    with pytest.raises(Exit) as ended:
        typed("web2-slow", *ALGORITHMS)
    assert ended.value.code == (130 if isinstance(error, KeyboardInterrupt) else 3)
    assert "3 of 9 pairs of rounds are complete" in capsys.readouterr().out
    assert scene.broken == {} and stored() == {} and len(scene.measured) == 7
    scene.fails_at = 0
    said = typed("web2-slow", *ALGORITHMS)
    assert "7 of them are complete" in said and "NO DIFFERENCE SEEN" in said
    assert len(scene.rounds) == 8 + 11
    assert len({(it.pair, it.side) for it in scene.measured}) == len(scene.measured) == 18


def test_a_round_whose_fault_was_healed_meanwhile_does_not_count(scene: Scene, typed: Typed) -> None:
    """fault.heal in another terminal: the round is measured again."""
    scene.healed_at = 4
    with pytest.raises(Exit) as ended:
        typed("web2-slow", *ALGORITHMS)
    assert ended.value.code == 3 and "web2-slow" in str(ended.value) and len(scene.measured) == 3
    scene.healed_at = 0
    typed("web2-slow", *ALGORITHMS)
    assert len(scene.measured) == 18


def test_a_promotion_that_is_interrupted_is_given_back(
    scene: Scene, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows how far it came: a converge, and the primary of before."""
    said: list[str] = []

    def command(words: str, give_up: object) -> tuple[int, str]:
        said.append(words)
        if len(said) == 1:
            raise KeyboardInterrupt
        return 0, ""

    monkeypatch.setattr(subcommand, "run", command)
    monkeypatch.setattr(role_recovery, "primary", lambda _: "web2")
    with pytest.raises(Exit):
        typed("web1-power-off", *ALGORITHMS)
    assert said == ["db.promote web1", "db.promote web2"] and scene.converged


def test_a_complete_comparison_is_shown_and_not_measured_again(scene: Scene, typed: Typed) -> None:
    """It needs no lab; --again makes a new one, and so does another setting or another number of rounds."""
    typed("control", *ALGORITHMS)
    scene.healthy = False
    assert "NO DIFFERENCE SEEN" in typed("control", *ALGORITHMS) and len(scene.rounds) == 18
    scene.healthy = True
    for more in (*ALGORITHMS, "--again"), (*ALGORITHMS, "--b", "load.rate=20"), (*ALGORITHMS[:4], "--repeat", "10"):
        before = len(scene.rounds)
        typed("control", *more)
        assert len(scene.measured) == len(scene.rounds) - before == (20 if "10" in more else 18)


def test_mistakes_are_refused_before_anything_changes(scene: Scene, typed: Typed) -> None:
    """Exit 2, and no folder."""
    with pytest.raises(Exit) as ended:
        typed("control", "--a", "algorithm=lestconn", "--b", "weights.web9=3", "--repeat", "2")
    assert ended.value.code == 2 and len(str(ended.value).splitlines()) == 5
    assert scene.converged == [] and not (scene.folder / "runs").exists()


def test_no_other_command_waits_for_the_statistics_library() -> None:
    """It takes a second or more to import."""
    asks = "import sys, tasks; print(sorted({'scipy', 'numpy'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", asks], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"
